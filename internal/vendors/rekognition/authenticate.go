package rekognition

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// maxSelfie is the largest picture that goes inside a request: 5 MiB before
// base64 (Amazon's API model, length of ImageBlob).
const maxSelfie = 5 << 20

// maxAnswer bounds the answer: at most 101 faces of about 1 KB each.
const maxAnswer = 1 << 20

// Authenticate makes one comparison and never repeats it. The selfie is read
// twice, once for the signature and once as it is sent, and given back with its
// last byte, in any case before Authenticate returns. If Amazon cannot read the
// reference, Config.HasReference is asked as well.
//
// A selfie of more than 5 MiB is Unusable without a call. Beyond the answers in
// codes.go the errors are LaneFault credentials_unusable, and Refused
// selfie_missing or reference_missing, for which nothing is sent.
func (a *Adapter) Authenticate(ctx context.Context, c vendors.Call) (vendors.Verdict, error) {
	if c.Selfie == nil {
		return vendors.Verdict{}, refused(codeSelfieMissing)
	}
	if c.Selfie.Size() > maxSelfie {
		_ = c.Selfie.Body().Close()
		return verdictOf(codeTooLarge, unusable(event.SelfieTooLarge)), nil
	}
	reference, named := a.referenceOf(c)
	r, err := a.comparison(ctx, c.Selfie, reference, named)
	if err != nil {
		return vendors.Verdict{}, err
	}
	answer, err := vendors.Exchange(a.client, r, maxAnswer)
	if err != nil {
		return vendors.Verdict{}, unsent(opAuthenticate, answer.Reached, err)
	}
	v, code, err := a.decode(answer)
	if code == codeNoReference {
		return a.lookFor(ctx, reference, answer, v)
	}
	return v, err
}

// referenceOf returns the picture to compare with, and whether there is one.
func (a *Adapter) referenceOf(c vendors.Call) (vendors.ObjectRef, bool) {
	if c.Reference == nil || c.Reference.Key == "" {
		return vendors.ObjectRef{}, false
	}
	reference := *c.Reference
	if reference.Bucket == "" {
		reference.Bucket = a.defaultBucket
	}
	return reference, true
}

// comparison builds the request. It takes the selfie over: into the request, or
// back to its owner when there is an error.
func (a *Adapter) comparison(ctx context.Context, selfie vendors.Selfie, reference vendors.ObjectRef, named bool) (_ *http.Request, err error) {
	text := encoded{selfie}
	prefix, suffix := a.layout(image{S3Object: &s3Object{reference.Bucket, reference.Key, reference.Version}})
	body := vendors.NewBody(prefix, text, suffix)
	defer func() {
		if err != nil {
			_ = body.Close()
		}
	}()
	switch {
	case !named:
		return nil, refused(codeReferenceMissing)
	case selfie.Size() <= 0:
		return nil, refused(codeSelfieMissing)
	}
	if err := ctx.Err(); err != nil {
		return nil, unsent(opAuthenticate, false, vendors.Scrub(ctx, err))
	}
	sum, err := digest(prefix, text, suffix)
	if err != nil {
		return nil, unsent(opAuthenticate, false, fmt.Errorf("reading the selfie: %w", vendors.Scrub(ctx, err)))
	}
	return a.post(ctx, opAuthenticate, body, sum)
}

// post builds a signed request with the body, whose SHA-256 is given.
func (a *Adapter) post(ctx context.Context, op string, body *vendors.Body, sum string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.endpoint, body)
	if err != nil {
		return nil, unsent(op, false, fmt.Errorf("building the request: %w", vendors.Scrub(ctx, err)))
	}
	r.ContentLength = body.Size()
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "RekognitionService.CompareFaces")
	if err := a.sign(ctx, r, sum); err != nil {
		if ctx.Err() != nil {
			return nil, unsent(op, false, vendors.Scrub(ctx, err))
		}
		return nil, &vendors.Error{Vendor: event.Rekognition, Kind: vendors.LaneFault, Op: op, Code: codeCredentials}
	}
	return r, nil
}

// image is one of the two pictures of a request.
type image struct {
	Bytes    []byte    `json:",omitempty"`
	S3Object *s3Object `json:",omitempty"`
}

type s3Object struct {
	Bucket, Name string
	Version      string `json:",omitempty"`
}

// layout returns what stands around the selfie's text in a request that compares
// it with source. Every face is asked for, whatever its similarity: the threshold
// is ours, and a rejection is to say its score.
func (a *Adapter) layout(source image) (prefix, suffix []byte) {
	head, err := json.Marshal(struct {
		SourceImage         image
		SimilarityThreshold float64
		QualityFilter       string
	}{source, 0, a.filter})
	if err != nil {
		panic("rekognition: strings and numbers have no JSON: " + err.Error())
	}
	head = bytes.TrimSuffix(head, []byte("}"))
	return append(head, `,"TargetImage":{"Bytes":"`...), []byte(`"}}`)
}
