package checkout

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"reauth/internal/vendors"
)

// Review implements vendors.Reviewer: a later audit may change a final status. A
// reference that cannot be the vendor's is Refused reference_invalid, and nothing
// is sent; one that it does not know any more is Refused not_found.
func (a *Adapter) Review(ctx context.Context, reference string) (vendors.Verdict, error) {
	if !isFaceAuthenticationID(reference) {
		return vendors.Verdict{}, refused(opLook, codeReference)
	}
	answer, err := a.send(ctx, request{op: opLook, method: http.MethodGet, path: pathOf(reference)})
	if err != nil {
		return vendors.Verdict{}, err
	}
	f, ok := readFaceAuthentication(answer, reference)
	if !ok {
		return vendors.Verdict{}, a.fault(opLook, answer)
	}
	if v, final := f.verdict(); final {
		return v, nil
	}
	return vendors.Verdict{Pending: &vendors.Pending{Reference: reference, After: a.pollMax}}, nil
}

// Erase has the personal data of one face authentication anonymized (E3): the
// vendor keeps its id and status. One that the vendor does not find, or that is
// anonymized already, is erased. A reference that cannot be the vendor's is
// Refused reference_invalid, and nothing is sent.
func (a *Adapter) Erase(ctx context.Context, reference string) error {
	if !isFaceAuthenticationID(reference) {
		return refused(opErase, codeReference)
	}
	answer, err := a.send(ctx, request{op: opErase, method: http.MethodPost, path: pathOf(reference) + "/anonymize"})
	if err != nil {
		return err
	}
	if _, ok := readFaceAuthentication(answer, reference); ok {
		return nil
	}
	err = a.fault(opErase, answer)
	var e *vendors.Error
	if errors.As(err, &e) && e.Code == codeNotFound || isErased(answer) {
		return nil
	}
	return err
}

// isErased tells whether a refusal says that there is nothing left to erase.
func isErased(answer vendors.Answer) bool {
	if answer.Status != http.StatusConflict && answer.Status != http.StatusUnprocessableEntity {
		return false
	}
	var c complaint
	return read(answer, &c) && slices.ContainsFunc(c.Codes, func(code string) bool {
		return strings.Contains(code, "already_anonymi") // s or z
	})
}

// fault is judge's for what is asked outside a request, where nothing that the
// vendor says is a verdict.
func (a *Adapter) fault(op string, answer vendors.Answer) error {
	if answer.Status == http.StatusNotFound {
		m := elsewhere
		if isTheirs(answer) {
			m = meaning{code: codeNotFound, kind: vendors.Refused}
		}
		return faultOf(op, answer, m, a.now())
	}
	if _, err := a.judge(op, "", answer); err != nil {
		return err
	}
	return faultOf(op, answer, refusal, a.now())
}
