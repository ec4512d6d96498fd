package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"reauth/internal/event"
)

// object is what a GET brought.
type object struct {
	content *buffer
	sum     [sha256.Size]byte
	// version is empty in a bucket that has never had versions.
	version string
	// tagged: it has an ETag, as every object of every S3 has.
	tagged bool
}

// read brings an object into memory. Its content is the caller's to release.
//
// The first GET holds the estimate, the second the size that the first one saw,
// the third the maximum, in case the object was replaced in between. With the
// maximum reserved a GET cannot run short, so there is no fourth.
func (s *Store) read(ctx context.Context, ref Ref) (object, *Error) {
	want := s.sizes.next()
	for try := 1; ; try++ {
		if try == 3 {
			want = s.maxBytes
		}
		waiting := time.Now()
		content, err := s.memory.reserve(ctx, want)
		if err != nil {
			return object{}, &Error{Kind: Interrupted, Err: fmt.Errorf("waiting for selfie memory: %w", err)}
		}
		s.metrics.waited(waiting)

		getting := time.Now()
		o, need, fault := s.getHedged(ctx, ref, content)
		s.metrics.got(getting)
		if fault == nil && need == 0 {
			o.content.fit(o.content.size)
			s.sizes.observe(o.content.size)
			return o, nil
		}
		content.release()
		if fault != nil {
			fault.Version = o.version
			return object{}, fault
		}
		want = need
		s.metrics.refetches.Inc()
	}
}

// get makes one GET and reads its whole answer into content. getting bounds it, and
// was made from ctx, whose end is nobody's fault. A need above zero says that it did
// not: the object is larger than what content holds and growing would have to wait,
// so content must be released and need bytes reserved.
func (s *Store) get(ctx, getting context.Context, ref Ref, content *buffer) (o object, need int64, fault *Error) {
	wanted := request{method: http.MethodGet, ref: ref, checksum: s.storedDigest}
	answer, err := s.client.send(getting, wanted)
	if err != nil {
		return o, 0, classify(ctx, getting, err)
	}
	// Closing an answer that was read to its end keeps the connection.
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		refused, err := readRefusal(answer)
		if err != nil {
			return o, 0, classify(ctx, getting, err)
		}
		return o, 0, judge(wanted, refused)
	}
	o = object{content: content, version: answer.Header.Get("X-Amz-Version-Id"), tagged: answer.Header.Get("ETag") != ""}

	// limit is the size if the store tells it: net/http lets no byte more
	// through.
	limit, known := s.maxBytes, false
	if answer.ContentLength >= 0 {
		limit, known = answer.ContentLength, true
	}
	if limit > s.maxBytes {
		return o, 0, unusable(event.SelfieTooLarge)
	}
	if known && !content.fit(limit) {
		return o, limit, nil
	}
	if sum, ok := storedSum(answer.Header); ok && known && s.storedDigest {
		o.sum, err = sum, fill(content, answer.Body, limit, nil)
	} else {
		o.sum, err = fillAndHash(content, answer.Body, limit)
	}
	switch {
	case errors.Is(err, errLonger):
		return o, 0, unusable(event.SelfieTooLarge)
	case errors.Is(err, errReservationUsed):
		return o, s.maxBytes, nil
	case err != nil:
		return o, 0, classify(ctx, getting, &brokenAnswer{err})
	case known && content.size < limit:
		return o, 0, &Error{Kind: Transient, Err: &brokenAnswer{io.ErrUnexpectedEOF}}
	}
	return o, 0, nil
}

// How fill ends short of the end of its source.
var (
	errLonger          = errors.New("more bytes than the limit")
	errReservationUsed = errors.New("reservation is used up")
)

// storedSum reads the SHA-256 that S3 keeps with an object and has verified when it
// was put. An object that was put in parts may have one of its parts' digests
// instead, which ends in a hyphen and their number and is none of the content.
func storedSum(h http.Header) (sum [sha256.Size]byte, ok bool) {
	decoded, err := base64.StdEncoding.DecodeString(h.Get("X-Amz-Checksum-Sha256"))
	if err != nil || len(decoded) != sha256.Size || strings.EqualFold(h.Get("X-Amz-Checksum-Type"), "COMPOSITE") {
		return sum, false
	}
	return [sha256.Size]byte(decoded), true
}

// fillAndHash is fill that returns the digest of what it has read.
func fillAndHash(content *buffer, source io.Reader, limit int64) (sum [sha256.Size]byte, err error) {
	digest := sha256.New()
	err = fill(content, source, limit, digest)
	digest.Sum(sum[:0])
	return sum, err
}

// fill reads source to its end into content, growing its reservation while that
// needs no wait, and into digest unless that is nil. It reads at most one byte more
// than limit, to tell an end from an excess.
func fill(content *buffer, source io.Reader, limit int64, digest io.Writer) (err error) {
	for {
		if content.size == limit {
			var excess [1]byte
			if _, err = io.ReadFull(source, excess[:]); err == nil {
				return errLonger
			}
		} else {
			room := content.room(limit - content.size)
			if room == nil {
				if !content.fit(content.reserved + chunkSize) {
					return errReservationUsed
				}
				continue
			}
			var n int
			n, err = source.Read(room)
			if digest != nil {
				_, _ = digest.Write(room[:n]) // a hash's never fails
			}
			content.wrote(n)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
