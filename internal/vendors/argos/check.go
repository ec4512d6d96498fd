package argos

import (
	"context"
	"errors"
	"net/url"

	"reauth/internal/vendors"
)

// Check lists one authentication, which is free. An address that answers, but
// not with a list, is a LaneFault: it is not the vendor's.
func (a *Adapter) Check(ctx context.Context) error {
	_, err := a.list(ctx, opCheck, url.Values{}, 1)
	var e *vendors.Error
	if errors.As(err, &e) && e.Status/100 == 2 && e.Err == nil && (e.Code == codeUnreadable || e.Code == codeNoVerdict) {
		e.Kind = vendors.LaneFault
	}
	return err
}
