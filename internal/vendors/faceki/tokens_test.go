package faceki

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// TestSecondRefusedTokenPausesTheLane sees the same from outside.
func TestSecondRefusedTokenPausesTheLane(t *testing.T) {
	var tokens, searches atomic.Int64
	var refuse atomic.Bool
	refuse.Store(true)
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case isToken(r):
			say(w, 200, fmt.Sprintf(`{"responseCode":0,"data":{"access_token":"t%d","expires_in":3600}}`, tokens.Add(1)))
		case refuse.Load():
			say(w, 401, `{"status":false,"message":"jwt expired","statusCode":401}`)
		default:
			searches.Add(1)
			say(w, 200, vendortest.Golden(t, "v2_approved.json"))
		}
	})
	for attempt, want := range []vendors.Kind{vendors.Transient, vendors.LaneFault, vendors.LaneFault} {
		_, err := a.Authenticate(t.Context(), call(reference, vendortest.NewSelfie(64)))
		if e := fault(t, err); e.Kind != want || e.Unknown || e.Status != 401 || e.Code != codeTokenRefused {
			t.Errorf("attempt %d: %v (unknown %v), want %s", attempt+1, e, e.Unknown, want)
		}
	}
	if err := a.Check(t.Context()); fault(t, err).Kind != vendors.LaneFault {
		t.Errorf("check: %v", err)
	}
	refuse.Store(false)
	before := tokens.Load()
	for range 5 {
		v, err := a.Authenticate(t.Context(), call(reference, vendortest.NewSelfie(64)))
		if err != nil || v.Outcome != event.Approved {
			t.Fatalf("%v, %v", v, err)
		}
	}
	if n := tokens.Load() - before; n != 1 || searches.Load() != 5 {
		t.Errorf("%d tokens for %d searches, want 1 for 5", n, searches.Load())
	}
	refuse.Store(true)
	_, err := a.Authenticate(t.Context(), call(reference, vendortest.NewSelfie(64)))
	if e := fault(t, err); e.Kind != vendors.Transient {
		t.Errorf("revoked after it was taken: %v, want transient", e)
	}
}

func TestTokenAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   string // empty: a token
	}{
		{"as documented", 200, vendortest.Golden(t, "token.json"), ""},
		{"code as a string", 200, `{"responseCode":"0","data":{"access_token":"t","expires_in":"60"}}`, ""},
		{"wrong credentials", 422, vendortest.Golden(t, "envelope_error.json"), "lane_fault "},
		{"wrong credentials with 200", 200, vendortest.Golden(t, "envelope_error.json"), "lane_fault "},
		{"unauthorized", 401, "", "lane_fault credentials_refused"},
		{"unauthorized by code", 200, `{"code":1}`, "lane_fault credentials_refused"},
		{"forbidden", 403, "", "lane_fault forbidden"},
		{"not found", 404, "<html>", "lane_fault wrong_address"},
		{"too large", 413, "", "lane_fault request_too_large"},
		{"a photo's code", 200, `{"responseCode":8006}`, "lane_fault 8006"},
		{"limit", 200, `{"responseCode":8017}`, "lane_fault 8017"},
		{"throttled", 429, "", "throttled "},
		{"timed out there", 408, "", "transient "},
		{"down", 503, "", "transient "},
		{"internal error", 200, `{"responseCode":1000}`, "transient 1000"},
		{"no token", 200, `{"responseCode":0,"data":{"expires_in":3600}}`, "lane_fault no_verdict"},
		{"token with a blank", 200, `{"responseCode":0,"data":{"access_token":"a\nb"}}`, "lane_fault no_verdict"},
		{"a page", 200, "<html>", "lane_fault unreadable_answer"},
		{"token with an error", 200, `{"responseCode":8017,"data":{"access_token":"t"}}`, "lane_fault 8017"},
	} {
		a := decoder(t, V2, "", nil)
		got, ok := readToken(answerOf(c.status, c.body), time.Unix(1000, 0))
		if ok != (c.want == "") {
			t.Errorf("%s: token %v", c.name, got)
		}
		if !ok {
			if s := summary(t, vendors.Verdict{}, a.tokenFault(answerOf(c.status, c.body))); s != c.want {
				t.Errorf("%s: %s, want %s", c.name, s, c.want)
			}
		}
	}
}

func TestTokenLives(t *testing.T) {
	asked := time.Unix(1000, 0)
	for expires, want := range map[string]time.Duration{
		`3600`: time.Hour, `"300"`: 5 * time.Minute, `0.5`: 500 * time.Millisecond, `1e300`: longestLife,
		`0`: assumedLife, `-1`: assumedLife, `"soon"`: assumedLife, `"NaN"`: assumedLife, `null`: assumedLife, `{}`: assumedLife,
	} {
		got, ok := readToken(answerOf(200, `{"responseCode":0,"data":{"access_token":"t","expires_in":`+expires+`}}`), asked)
		if !ok || got.Expires.Sub(asked) != want || got.RenewAt.Sub(asked) != want*8/10 {
			t.Errorf("expires_in %s: %+v (%v), want %v", expires, got, ok, want)
		}
	}
}
