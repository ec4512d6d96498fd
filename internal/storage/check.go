package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"

	"reauth/internal/event"
)

// What Check has to say beyond the store's answer.
var (
	errNoStore = errors.New("there is an object under a random key: this is no S3")
	errNoGet   = errors.New("the bucket may be listed but not read: is s3:GetObject granted?")
	errNoTags  = errors.New("tags cannot be read: are s3:GetObjectTagging and s3:GetObjectVersionTagging granted?")
	errNoList  = errors.New("is the bucket ours, and are s3:ListBucket and s3:GetObject granted? Without s3:ListBucket a missing selfie is answered like a forbidden one")
)

// Check tries every bucket with the credentials at hand: it asks for a random
// key and expects to be told that it is missing. Its error is an *Error about
// the first bucket that fails; access that is denied comes with a hint.
func (s *Store) Check(ctx context.Context) error {
	for _, bucket := range s.buckets {
		if err := s.check(ctx, bucket); err != nil {
			err.Op, err.Bucket = "check", bucket
			return err
		}
	}
	return nil
}

func (s *Store) check(ctx context.Context, bucket string) *Error {
	asking, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	fault := s.ask(ctx, asking, http.MethodGet, Ref{Bucket: bucket, Key: "reauth-check/" + rand.Text()})
	switch {
	case fault == nil:
		return &Error{Kind: Fault, Err: errNoStore}
	case fault.Reason == event.SelfieNotFound:
		return s.checkTags(ctx, bucket)
	case fault.Code != accessDenied:
		return fault
	}
	// A HEAD of the bucket needs s3:ListBucket and nothing else.
	fault.Err = errNoList
	if s.ask(ctx, asking, http.MethodHead, Ref{Bucket: bucket}) == nil {
		fault.Err = errNoGet
	}
	return fault
}

// checkTags tries to read the tags of an object that is missing, if reading tags
// is what the settings ask for. That they may be put, or objects deleted, cannot
// be tried without harm.
func (s *Store) checkTags(ctx context.Context, bucket string) *Error {
	if !s.after.readsTags() {
		return nil
	}
	_, fault := s.tags(ctx, Ref{Bucket: bucket, Key: "reauth-check/" + rand.Text()})
	switch {
	case isGone(fault):
		return nil
	case fault != nil && fault.Code == accessDenied:
		fault.Err = errNoTags
	}
	return fault
}

// ask makes a request for the sake of its status: nil means OK.
func (s *Store) ask(caller, asking context.Context, method string, ref Ref) *Error {
	q := request{method: method, ref: ref}
	answer, err := s.client.send(asking, q)
	if err != nil {
		return classify(caller, asking, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	refused, err := readRefusal(answer)
	if err != nil {
		return classify(caller, asking, err)
	}
	return judge(q, refused)
}
