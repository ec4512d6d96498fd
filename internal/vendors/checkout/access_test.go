package checkout

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

func isToken(r *http.Request) bool { return r.URL.Path == "/connect/token" }

// TestSecretsAreReadAtEveryUse, so that a rotated one needs no restart.
func TestSecretsAreReadAtEveryUse(t *testing.T) {
	var shown []string
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		shown = append(shown, r.PostFormValue("client_secret"))
		say(w, 200, vendortest.Golden(t, "token.json"))
	})
	for _, secret := range []string{"old\n", "new\n"} {
		a.access.tokens = vendors.NewTokens((&oauth{
			url: a.base + "/connect/token", clientID: "c", client: a.client, now: a.now,
			clientSecret: func() (string, error) { return secret, nil },
		}).fetch, a.now)
		if err := a.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want(t, shown, []string{"old", "new"})

	h := newHosted()
	key := ""
	static := h.adapter(t, func(c *Config) { c.SecretKey = func() (string, error) { return key, nil } })
	shown = nil
	for _, key = range []string{"sk_old\n", "sk_new\n"} {
		h.answer = func(w http.ResponseWriter, r *http.Request) {
			shown = append(shown, r.Header.Get("Authorization"))
			say(w, 404, `{"request_id":"x"}`)
		}
		if err := static.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want(t, shown, []string{"Bearer sk_old", "Bearer sk_new"})
}

// TestSecondRefusedTokenPausesTheLane: the first may have expired early or been
// revoked.
func TestSecondRefusedTokenPausesTheLane(t *testing.T) {
	var tokens, refusals atomic.Int64
	refusals.Store(1)
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case isToken(r):
			say(w, 200, fmt.Sprintf(`{"access_token":"t%d","expires_in":3600}`, tokens.Add(1)))
		case refusals.Add(-1) >= 0:
			say(w, 401, "")
		default:
			say(w, 201, vendortest.Golden(t, "created.json"))
		}
	})
	step := func() string {
		v, err := a.Authenticate(t.Context(), theCall())
		return summary(t, v, err)
	}
	want(t, []string{step(), step(), step()}, []string{"transient token_refused", "invite", "invite"})
	want(t, tokens.Load(), int64(2))
	refusals.Store(3)
	want(t, []string{step(), step(), step()}, []string{"transient token_refused", "lane_fault token_refused", "lane_fault token_refused"})
	want(t, step(), "invite")
}

func TestTokenIsFetchedOnceForAll(t *testing.T) {
	var tokens atomic.Int64
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if isToken(r) {
			tokens.Add(1)
			say(w, 200, vendortest.Golden(t, "token.json"))
			return
		}
		say(w, 201, vendortest.Golden(t, "created.json"))
	})
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			if v, err := a.Authenticate(t.Context(), theCall()); err != nil || v.Pending == nil {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
	all.Wait()
	want(t, tokens.Load(), int64(1))
}

// TestTokenAnswers that bring no token are the lane's fault, or pass; none leaves
// the call's outcome unknown.
func TestTokenAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   string // empty: a token
		life   time.Duration
	}{
		{200, `{"access_token":"t","token_type":"Bearer","expires_in":100}`, "", 100 * time.Second},
		{200, `{"access_token":"t","expires_in":"100"}`, "", 100 * time.Second},
		{200, `{"access_token":"t"}`, "", assumedLife},
		{200, `{"access_token":"t","expires_in":-1}`, "", assumedLife},
		{200, `{"access_token":"t","expires_in":1e300}`, "", longestLife},
		{200, `{"access_token":""}`, "lane_fault unreadable_answer", 0},
		{200, `{"access_token":"a b"}`, "lane_fault unreadable_answer", 0},
		{200, `<html>`, "lane_fault unreadable_answer", 0},
		{400, `{"error":"invalid_client"}`, "lane_fault credentials_refused", 0},
		{401, `{"error":"invalid_client"}`, "lane_fault credentials_refused", 0},
		{403, ``, "lane_fault forbidden", 0},
		{404, ``, "lane_fault wrong_address", 0},
		{422, ``, "lane_fault ", 0},
		{429, ``, "throttled ", 0},
		{500, ``, "transient ", 0},
	} {
		o := &oauth{
			url: "https://access.example/connect/token", clientID: "c", clientSecret: clientSecret,
			now: func() time.Time { return theStart },
		}
		h := newHosted()
		h.answer = saying(c.status, c.body)
		o.client = &http.Client{Transport: h}
		got, err := o.fetch(t.Context())
		if c.want != "" {
			if text := summary(t, vendors.Verdict{}, err); text != c.want {
				// Also if unknown: it says so.
				t.Errorf("%d %s: %s, want %s", c.status, c.body, text, c.want)
			}
			continue
		}
		if err != nil || got.Expires != theStart.Add(c.life) || !got.RenewAt.Before(got.Expires) || !got.RenewAt.After(theStart) {
			t.Errorf("%d %s: %+v, %v", c.status, c.body, got, err)
		}
	}
}
