package rekognition

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// noPicture stands in for both pictures of a check.
var noPicture = []byte("reauth-check")

// Check asks for the comparison of two pictures that are none. That they are
// none is said only to a caller whose signature is good and who may compare, and
// is not charged, for no picture is looked at. Any other answer is an error; one
// that claims to have compared is not Amazon's, a LaneFault.
func (a *Adapter) Check(ctx context.Context) error {
	prefix, suffix := a.layout(image{Bytes: noPicture})
	content := append(base64.StdEncoding.AppendEncode(prefix, noPicture), suffix...)
	body := vendors.NewBody(content, nil, nil)
	defer func() { _ = body.Close() }()
	sum := sha256.Sum256(content)
	r, err := a.post(ctx, opCheck, body, hex.EncodeToString(sum[:]))
	if err != nil {
		return err
	}
	answer, err := vendors.Exchange(a.client, r, maxAnswer)
	if err != nil {
		return unsent(opCheck, answer.Reached, err)
	}
	code, m := meaningOf(answer)
	switch {
	case answer.Status == http.StatusOK:
		return a.fault(opCheck, answer, codeNoVerdict, laneFault)
	case answer.Status == http.StatusBadRequest && (code == codeNoImage || code == codeParameter || code == codeValidation):
		return nil
	case m.outcome == event.Unusable, m.outcome == event.Ineligible:
		return a.fault(opCheck, answer, code, refusal)
	}
	return a.fault(opCheck, answer, code, m)
}
