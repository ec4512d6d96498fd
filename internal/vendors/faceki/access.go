package faceki

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

const (
	// tokenTimeout bounds the wait for a token within a call's deadline: a
	// refresh that hangs must not take the calls with it that have a token.
	tokenTimeout = 10 * time.Second
	// maxTokenAnswer is far more than a JWT takes.
	maxTokenAnswer = 64 << 10
	maxToken       = 8 << 10

	// renewShare of its life a token is used before it is renewed.
	renewShare = 0.8
	// Lifetimes: the vendor's pages say 3600 s and, in one place, 5 minutes,
	// which is assumed where an answer says nothing. The longest keeps a
	// wrong number from overflowing.
	assumedLife = 5 * time.Minute
	longestLife = 24 * time.Hour
)

var errTokenTimeout = errors.New("no token in time")

// fetchToken makes one token call. All its errors are about the lane, for a
// token serves every call, and none is unknown: the paid call was not made.
func (a *Adapter) fetchToken(ctx context.Context) (*vendors.Token, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, tokenTimeout, errTokenTimeout)
	defer cancel()
	secret, ok := a.clientSecret.Header()
	if !ok {
		return nil, &vendors.Error{Vendor: event.Faceki, Kind: vendors.LaneFault, Op: opToken, Code: codeSecretUnusable}
	}
	r, err := a.api.tokenRequest(ctx, a.base, a.clientID, secret)
	if err != nil {
		return nil, unsent(opToken, false, fmt.Errorf("building the request: %w", vendors.Scrub(ctx, err)))
	}
	r.Header.Set("Accept", "application/json")
	// The vendor counts the life from its answer; from the question on is
	// shorter.
	asked := a.now()
	answer, err := vendors.Exchange(a.client, r, maxTokenAnswer)
	if err != nil {
		return nil, unsent(opToken, false, err)
	}
	t, ok := readToken(answer, asked)
	if !ok {
		return nil, a.tokenFault(answer)
	}
	return t, nil
}

// readToken reads {"responseCode":0,"data":{"access_token":…,"expires_in":…}}.
func readToken(answer vendors.Answer, asked time.Time) (*vendors.Token, bool) {
	var body struct {
		ResponseCode json.RawMessage `json:"responseCode"`
		Data         struct {
			AccessToken string          `json:"access_token"`
			ExpiresIn   json.RawMessage `json:"expires_in"`
		} `json:"data"`
	}
	if answer.Err != nil || answer.Status/100 != 2 || json.Unmarshal(answer.Body, &body) != nil {
		return nil, false
	}
	var code scalar
	if body.ResponseCode != nil && (code.UnmarshalJSON(body.ResponseCode) != nil || code.text != successV2) {
		return nil, false
	}
	secret := vendors.Secret(func() (string, error) { return body.Data.AccessToken, nil })
	value, ok := secret.Header()
	if !ok || len(value) > maxToken {
		return nil, false
	}
	life := lifeOf(body.Data.ExpiresIn)
	return &vendors.Token{
		Value:   value,
		RenewAt: asked.Add(time.Duration(renewShare * float64(life))),
		Expires: asked.Add(life),
	}, true
}

// lifeOf reads a number of seconds, also one written as a string.
func lifeOf(raw json.RawMessage) time.Duration {
	var s scalar
	if raw == nil || s.UnmarshalJSON(raw) != nil {
		return assumedLife
	}
	seconds, err := strconv.ParseFloat(s.text, 64)
	switch {
	case err != nil || math.IsNaN(seconds) || seconds <= 0:
		return assumedLife
	case seconds >= longestLife.Seconds():
		return longestLife
	}
	return time.Duration(seconds * float64(time.Second))
}

// tokenFault says why there is no token. What puts a search down to its selfie
// or to the request is here the fault of credentials or address.
func (a *Adapter) tokenFault(answer vendors.Answer) error {
	code, m := meaningOf(answer, readAnswer(answer))
	switch {
	case m.token:
		code = codeCredentials
	case m.kind == vendors.Transient && answer.Status/100 == 2 && answer.Err == nil && (code == codeUnreadable || code == codeNoVerdict):
		m.kind = vendors.LaneFault
	}
	if m.outcome != "" || m.kind == vendors.Refused || m.kind == vendors.Unexplained {
		m = meaning{kind: vendors.LaneFault}
	}
	m.unknown = false
	return a.fault(opToken, answer, code, m)
}
