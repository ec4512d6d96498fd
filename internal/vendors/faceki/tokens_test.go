package faceki

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// source is a tokens whose fetches are counted and numbered. Used inside a
// synctest bubble.
func source(life time.Duration, fetch func(context.Context) error) (*tokens, *atomic.Int64) {
	var fetched atomic.Int64
	return &tokens{now: time.Now, fetch: func(ctx context.Context) (*token, error) {
		n := fetched.Add(1)
		if fetch != nil {
			if err := fetch(ctx); err != nil {
				return nil, err
			}
		}
		now := time.Now()
		return &token{value: fmt.Sprint(n), renewAt: now.Add(life * 8 / 10), expires: now.Add(life)}, nil
	}}, &fetched
}

func wantToken(t *testing.T, tokens *tokens, value string) *token {
	t.Helper()
	got, err := tokens.get(t.Context())
	if err != nil || got.value != value {
		t.Fatalf("token %v and %v, want %s", got, err, value)
	}
	return got
}

func TestTokenIsSharedAndRenewedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, fetched := source(time.Hour, nil)
		for range 100 {
			wantToken(t, tokens, "1")
		}
		time.Sleep(48*time.Minute - 1)
		wantToken(t, tokens, "1")
		time.Sleep(time.Nanosecond)
		wantToken(t, tokens, "2")
		if n := fetched.Load(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

func TestOneFetchServesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, failure := range []error{nil, errors.New("no")} {
			tokens, fetched := source(time.Hour, func(context.Context) error { time.Sleep(time.Second); return failure })
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if _, err := tokens.get(t.Context()); !errors.Is(err, failure) {
						t.Errorf("error %v, want %v", err, failure)
					}
				})
			}
			all.Wait()
			if n := fetched.Load(); n != 1 {
				t.Errorf("%d fetches for 50 callers at once", n)
			}
		}
	})
}

// TestRenewalHoldsUpNobody: while one caller renews, the others go on with the
// token that is good; when it cannot be renewed, so does that one.
func TestRenewalHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		tokens, fetched := source(time.Hour, func(context.Context) error {
			if broken.Load() {
				time.Sleep(9 * time.Second)
				return errors.New("no")
			}
			return nil
		})
		wantToken(t, tokens, "1")
		time.Sleep(50 * time.Minute)
		broken.Store(true)
		var renewer sync.WaitGroup
		renewer.Go(func() {
			if got, err := tokens.get(t.Context()); err != nil || got.value != "1" {
				t.Errorf("after the failed renewal: %v, %v, want the old token", got, err)
			}
		})
		synctest.Wait()
		before := time.Now()
		wantToken(t, tokens, "1")
		if waited := time.Since(before); waited > 0 {
			t.Errorf("waited %v for a token that was not needed", waited)
		}
		renewer.Wait()
		wantToken(t, tokens, "1")
		if n := fetched.Load(); n != 2 {
			t.Errorf("%d fetches, want the next one only after a pause", n)
		}
		broken.Store(false)
		time.Sleep(renewPause)
		wantToken(t, tokens, "3")

		broken.Store(true)
		time.Sleep(time.Hour)
		if _, err := tokens.get(t.Context()); err == nil {
			t.Error("an expired token is used on")
		}
	})
}

// TestLeaverFailsNobodyElse: the caller that fetches is cancelled; one of those
// who wait takes over.
func TestLeaverFailsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, fetched := source(time.Hour, func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Minute):
				return nil
			}
		})
		ctx, leave := context.WithCancelCause(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := tokens.get(ctx); err == nil {
				t.Error("the caller that left has a token")
			}
		})
		synctest.Wait()
		waiter, giveUp := context.WithCancelCause(t.Context())
		all.Go(func() {
			if _, err := tokens.get(waiter); !errors.Is(err, errStopped) {
				t.Errorf("the caller that gave up has %v, want its own cause", err)
			}
		})
		for range 3 {
			all.Go(func() {
				if got, err := tokens.get(t.Context()); err != nil || got.value != "2" {
					t.Errorf("those who stayed have %v, %v", got, err)
				}
			})
		}
		synctest.Wait()
		giveUp(errStopped)
		synctest.Wait()
		leave(errStopped)
		all.Wait()
		if n := fetched.Load(); n != 2 {
			t.Errorf("%d fetches, want one more after the leaver's", n)
		}
	})
}

var errStopped = errors.New("stopped by the test")

func TestRefusalsOfTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, _ := source(time.Hour, nil)
		first := wantToken(t, tokens, "1")
		tokens.accept(first)
		// A revoked token is refused to all who use it.
		for range 3 {
			if tokens.refuse(first) {
				t.Error("the first refused token is called a lasting fault")
			}
		}
		second := wantToken(t, tokens, "2")
		// A late word about the first changes nothing.
		if tokens.refuse(first) {
			t.Error("a late refusal of the first token is called a lasting fault")
		}
		tokens.accept(first)
		wantToken(t, tokens, "2")
		for range 3 {
			if !tokens.refuse(second) {
				t.Error("the second refusal in a row is not called lasting")
			}
		}
		third := wantToken(t, tokens, "3")
		tokens.accept(third)
		if tokens.refuse(third) {
			t.Error("a token that was taken before is called a lasting fault")
		}
		fourth := wantToken(t, tokens, "4")
		tokens.accept(fourth)
		time.Sleep(time.Hour)
		if tokens.refuse(wantToken(t, tokens, "5")) {
			t.Error("the successor of a token that was taken is called a lasting fault")
		}
	})
}

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
			say(w, 200, golden(t, "v2_approved.json"))
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
		{"as documented", 200, golden(t, "token.json"), ""},
		{"code as a string", 200, `{"responseCode":"0","data":{"access_token":"t","expires_in":"60"}}`, ""},
		{"wrong credentials", 422, golden(t, "envelope_error.json"), "lane_fault "},
		{"wrong credentials with 200", 200, golden(t, "envelope_error.json"), "lane_fault "},
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
		if !ok || got.expires.Sub(asked) != want || got.renewAt.Sub(asked) != want*8/10 {
			t.Errorf("expires_in %s: %+v (%v), want %v", expires, got, ok, want)
		}
	}
}
