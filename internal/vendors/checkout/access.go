package checkout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"reauth/internal/vendors"
)

// access is how a call shows who makes it: a static key or a shared token.
// Exactly one of the two is set.
type access struct {
	secretKey vendors.Secret
	tokens    *vendors.Tokens
}

// bearer is what one call shows. token is nil for a static key.
type bearer struct {
	value string
	token *vendors.Token
}

// get returns what the next call is to show; op is that call. Every error is a
// *vendors.Error.
func (a access) get(ctx context.Context, op string) (bearer, error) {
	if a.tokens == nil {
		key, ok := a.secretKey.Header()
		if !ok {
			return bearer{}, laneFault(op, codeSecretUnusable)
		}
		return bearer{value: key}, nil
	}
	t, err := a.tokens.Get(ctx)
	if err != nil {
		var e *vendors.Error
		if !errors.As(err, &e) {
			err = unsent(opToken, false, vendors.Scrub(ctx, err))
		}
		return bearer{}, err
	}
	return bearer{value: t.Value, token: t}, nil
}

// settle takes in what an answer's status says of b. lasting says that another
// token would be refused as well.
func (a access) settle(b bearer, status int) (lasting bool) {
	switch {
	case b.token == nil:
		return true
	case status == http.StatusUnauthorized:
		return a.tokens.Refuse(b.token)
	case status/100 == 2, status == http.StatusConflict, status == http.StatusUnprocessableEntity:
		a.tokens.Accept(b.token)
	}
	return false
}

const (
	scope = "identity-verification"

	// tokenTimeout bounds the wait for a token within a call's deadline: a
	// refresh that hangs must not take the calls with it that have a token.
	tokenTimeout = 10 * time.Second
	// maxTokenAnswer is far more than a JWT takes.
	maxTokenAnswer = 64 << 10
	maxToken       = 8 << 10

	// renewShare of its life a token is used before it is renewed.
	renewShare = 0.8
	// assumedLife is that of a token that comes without one; longestLife
	// keeps a wrong number from overflowing.
	assumedLife = 5 * time.Minute
	longestLife = 24 * time.Hour
)

var errTokenTimeout = errors.New("no token in time")

// oauth gets tokens for client credentials.
type oauth struct {
	url          string
	clientID     string
	clientSecret vendors.Secret
	client       *http.Client
	now          func() time.Time
}

// fetch makes one token call. All its errors are about the lane, for a token
// serves every call, and none is unknown: the call that needs it was not made.
func (o *oauth) fetch(ctx context.Context) (*vendors.Token, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, tokenTimeout, errTokenTimeout)
	defer cancel()
	secret, ok := o.clientSecret.Header()
	if !ok {
		return nil, laneFault(opToken, codeSecretUnusable)
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope},
		"client_id": {o.clientID}, "client_secret": {secret},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, unsent(opToken, false, fmt.Errorf("building the request: %w", vendors.Scrub(ctx, err)))
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	// The vendor counts the life from its answer; from the question on is
	// shorter.
	asked := o.now()
	answer, err := vendors.Exchange(o.client, r, maxTokenAnswer)
	if err != nil {
		return nil, unsent(opToken, false, err)
	}
	t, ok := readToken(answer, asked)
	if !ok {
		return nil, o.fault(answer)
	}
	return t, nil
}

// readToken reads {"access_token":…,"token_type":"Bearer","expires_in":…}.
func readToken(answer vendors.Answer, asked time.Time) (*vendors.Token, bool) {
	var body struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   number `json:"expires_in"`
	}
	if answer.Status/100 != 2 || !read(answer, &body) {
		return nil, false
	}
	secret := vendors.Secret(func() (string, error) { return body.AccessToken, nil })
	value, ok := secret.Header()
	if !ok || len(value) > maxToken {
		return nil, false
	}
	life := assumedLife
	if seconds := float64(body.ExpiresIn); seconds >= longestLife.Seconds() {
		life = longestLife
	} else if seconds > 0 {
		life = time.Duration(seconds * float64(time.Second))
	}
	return &vendors.Token{
		Value:   value,
		RenewAt: asked.Add(time.Duration(renewShare * float64(life))),
		Expires: asked.Add(life),
	}, true
}

// fault says why there is no token. What would put another call down to the
// request is here the fault of credentials or address.
func (o *oauth) fault(answer vendors.Answer) error {
	code, kind := codeUnreadable, vendors.LaneFault
	switch status := answer.Status; {
	case status == http.StatusBadRequest, status == http.StatusUnauthorized:
		code = codeCredentials
	case status/100 == 2 && answer.Err != nil:
		kind = vendors.Transient
	case status/100 != 2:
		m := meaningOf(status)
		if code, kind = m.code, m.kind; kind == vendors.Unexplained {
			kind = vendors.LaneFault
		}
	}
	return faultOf(opToken, answer, meaning{code: code, kind: kind}, o.now())
}
