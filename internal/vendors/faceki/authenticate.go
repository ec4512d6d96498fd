package faceki

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"reauth/internal/vendors"
)

// maxAnswer bounds the answer to a search. Its records carry a page or two of
// personal data each; pictures stand in it as links.
const maxAnswer = 8 << 20

// Authenticate makes one search and never repeats it, before it a token call if
// there is no good token. The selfie is given back as soon as its last byte was
// handed to the connection, and in any case before Authenticate returns.
//
// The first refusal of a token is Transient and known not to have been acted
// upon: the next attempt fetches another. When that is refused as well, before
// any call with it was taken, it is a LaneFault.
//
// Beyond the answers in codes.go its errors are: LaneFault
// client_secret_unusable, and Refused selfie_missing or submission_id_missing,
// for which nothing is sent. Without an expected reference a match could be
// anybody's.
func (a *Adapter) Authenticate(ctx context.Context, c vendors.Call) (vendors.Verdict, error) {
	if c.Selfie == nil {
		return vendors.Verdict{}, refused(codeSelfieMissing)
	}
	expected := strings.TrimSpace(c.SubmissionID)
	r, t, err := a.search(ctx, c.Selfie, expected)
	if err != nil {
		return vendors.Verdict{}, err
	}
	answer, err := vendors.Exchange(a.client, r, maxAnswer)
	if err != nil {
		return vendors.Verdict{}, unsent(opAuthenticate, answer.Reached, err)
	}
	v, err := a.decode(answer, expected)
	return v, a.settle(t, err)
}

// search builds the request. It takes the selfie over: into the request, or back
// to its owner when there is an error.
func (a *Adapter) search(ctx context.Context, selfie vendors.Selfie, expected string) (_ *http.Request, _ *vendors.Token, err error) {
	prefix, suffix, contentType := vendors.Form("", nil, a.api.part, selfie.ContentType())
	body := vendors.NewBody(prefix, selfie, suffix)
	defer func() {
		if err != nil {
			_ = body.Close()
		}
	}()
	switch {
	case expected == "":
		return nil, nil, refused(codeSubmissionMissing)
	case selfie.Size() <= 0:
		return nil, nil, refused(codeSelfieMissing)
	}
	t, err := a.token(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+a.api.search, body)
	if err != nil {
		return nil, nil, unsent(opAuthenticate, false, fmt.Errorf("building the request: %w", vendors.Scrub(ctx, err)))
	}
	r.ContentLength = body.Size()
	r.Header.Set("Content-Type", contentType)
	authorize(r, t)
	return r, t, nil
}

// Prepare implements vendors.Preparer: it fetches a token if there is no good one.
func (a *Adapter) Prepare(ctx context.Context) error {
	_, err := a.token(ctx)
	return err
}

// token returns the shared token; its error is a *vendors.Error.
func (a *Adapter) token(ctx context.Context) (*vendors.Token, error) {
	t, err := a.tokens.Get(ctx)
	var e *vendors.Error
	if err != nil && !errors.As(err, &e) {
		return nil, unsent(opToken, false, vendors.Scrub(ctx, err))
	}
	return t, err
}

func authorize(r *http.Request, t *vendors.Token) {
	r.Header.Set("Authorization", "Bearer "+t.Value)
	r.Header.Set("Accept", "application/json")
}

// settle tells the tokens what an answer said of t, and returns err with the
// kind that follows from it.
func (a *Adapter) settle(t *vendors.Token, err error) error {
	var e *vendors.Error
	switch {
	case err == nil:
		a.tokens.Accept(t)
	case errors.As(err, &e) && e.Code == codeTokenRefused:
		if !a.tokens.Refuse(t) {
			e.Kind = vendors.Transient
		}
	case e != nil && e.Status/100 == 2:
		a.tokens.Accept(t)
	}
	return err
}
