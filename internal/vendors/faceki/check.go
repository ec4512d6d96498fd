package faceki

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"reauth/internal/vendors"
)

// maxRules bounds the answer to the question for the company's rules.
const maxRules = 1 << 20

// Check asks for the company's rules, which is free. For Blaze, of which no free
// question is documented, it fetches a new token instead. A refused token is
// replaced once. An address that answers, but not with JSON, is a LaneFault: it
// is not the vendor's.
func (a *Adapter) Check(ctx context.Context) error {
	if a.api.rules == "" {
		a.tokens.Discard()
		_, err := a.token(ctx)
		return err
	}
	err := a.askRules(ctx)
	var e *vendors.Error
	if errors.As(err, &e) && e.Code == codeTokenRefused && e.Kind == vendors.Transient {
		return a.askRules(ctx)
	}
	return err
}

func (a *Adapter) askRules(ctx context.Context) error {
	t, err := a.token(ctx)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+a.api.rules, nil)
	if err != nil {
		return unsent(opCheck, false, fmt.Errorf("building the request: %w", vendors.Scrub(ctx, err)))
	}
	authorize(r, t)
	answer, err := vendors.Exchange(a.client, r, maxRules)
	if err != nil {
		return unsent(opCheck, false, err)
	}
	return a.settle(t, a.judgeRules(answer))
}

// judgeRules takes any JSON with 2xx for the rules, unless it is an error.
func (a *Adapter) judgeRules(answer vendors.Answer) error {
	s := readAnswer(answer)
	code, m := meaningOf(answer, s)
	switch {
	case code != codeNoVerdict && code != codeUnreadable || answer.Status/100 != 2:
	case answer.Err == nil && json.Valid(answer.Body) && !s.status.isFalse():
		return nil
	case answer.Err == nil:
		m.kind = vendors.LaneFault
	}
	m.unknown = false // asking charges nothing
	return a.fault(opCheck, answer, code, m)
}
