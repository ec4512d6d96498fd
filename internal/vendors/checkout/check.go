package checkout

import (
	"context"
	"net/http"

	"reauth/internal/vendors"
)

// nobody is a face authentication that does not exist.
const nobody = "fav_reauth_check"

// Check fetches a new token, where there is an OAuth client. With a static key
// it asks for a face authentication that does not exist, which is free: that the
// vendor does not find it shows that address and key are right. An address that
// answers, but not as this vendor does, is a LaneFault.
func (a *Adapter) Check(ctx context.Context) error {
	if a.access.tokens != nil {
		a.access.tokens.Discard()
		_, err := a.access.get(ctx, opCheck)
		return err
	}
	answer, err := a.send(ctx, request{op: opCheck, method: http.MethodGet, path: pathOf(nobody)})
	if err != nil {
		return err
	}
	m := meaningOf(answer.Status)
	switch {
	case isTheirs(answer) && (answer.Status == http.StatusNotFound || answer.Status == http.StatusUnprocessableEntity):
		return nil
	case answer.Status/100 == 2 && answer.Err == nil, m.kind == vendors.Unexplained:
		m = meaning{code: codeWrongAddress, kind: vendors.LaneFault}
	}
	m.unknown = false // asking charges nothing
	return faultOf(opCheck, answer, m, a.now())
}
