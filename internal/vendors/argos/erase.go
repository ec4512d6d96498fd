package argos

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"reauth/internal/vendors"
)

// Erase deletes picture and personal data of one authentication; the vendor
// keeps id, status and time. An authentication that the vendor does not find is
// taken for erased: nothing is kept under that reference. A reference that
// cannot be the vendor's is Refused reference_invalid, and nothing is sent.
func (a *Adapter) Erase(ctx context.Context, reference string) error {
	if vendors.CleanCode(reference) == "" {
		return refused(opErase, codeReferenceInvalid)
	}
	answer, err := a.call(ctx, opErase, http.MethodDelete, url.Values{"authId": {reference}}, maxAnswer)
	if err != nil {
		return err
	}
	o := objectOf(answer)
	erased := answer.Status/100 == 2 && strings.EqualFold(o.text("message"), "success")
	code, m := meaningOf(answer, o)
	if erased || code == codeNoSubmission {
		return nil
	}
	return a.fault(opErase, answer, code, m)
}
