package argos

import (
	"context"
	"net/http"
	"strings"

	"reauth/internal/vendors"
)

// maxAnswer bounds the answer to everything but a list; a verdict is under 1 KiB.
const maxAnswer = 1 << 20

// Authenticate makes one POST /faceauth and never repeats it. The selfie is
// given back as soon as its last byte was handed to the connection, and in any
// case before Authenticate returns. Beyond the answers in codes.go its errors
// are: LaneFault api_key_unusable, and Refused selfie_missing or
// submission_id_missing, for which nothing is sent.
func (a *Adapter) Authenticate(ctx context.Context, c vendors.Call) (vendors.Verdict, error) {
	if c.Selfie == nil {
		return vendors.Verdict{}, refused(opAuthenticate, codeSelfieMissing)
	}
	r, err := a.authentication(ctx, c)
	if err != nil {
		return vendors.Verdict{}, err
	}
	answer, err := vendors.Exchange(a.client, r, maxAnswer)
	if err != nil {
		return vendors.Verdict{}, unsent(opAuthenticate, answer.Reached, err)
	}
	return a.decode(answer)
}

// authentication builds the request. It takes the selfie over: into the
// request, or back to its owner when there is an error.
//
// An empty selfie or submission id must not be sent: the vendor would say that
// a required field is missing, which reads as a fault of the lane.
func (a *Adapter) authentication(ctx context.Context, c vendors.Call) (_ *http.Request, err error) {
	submissionID := strings.TrimSpace(c.SubmissionID)
	prefix, suffix, contentType := form(c, submissionID, "")
	body := vendors.NewBody(prefix, c.Selfie, suffix)
	defer func() {
		if err != nil {
			_ = body.Close()
		}
	}()
	switch {
	case submissionID == "":
		return nil, refused(opAuthenticate, codeSubmissionMissing)
	case c.Selfie.Size() <= 0:
		return nil, refused(opAuthenticate, codeSelfieMissing)
	}

	r := a.post.WithContext(ctx)
	r.Body, r.ContentLength = body, body.Size()
	r.Header = http.Header{"Content-Type": {contentType}}
	return r, a.authorize(r, opAuthenticate)
}
