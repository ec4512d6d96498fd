package argossim

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/vendorsim"
	"reauth/internal/sandbox/vendorsim/vendorsimtest"
)

func mustDelay(t *testing.T, text string) fault.Delay {
	t.Helper()
	d, err := fault.ParseDelay(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestGatewayForbidsBeforeTheServiceSeesTheCall(t *testing.T) {
	s := setup(t, nil)
	wrong := submit("sub-approve-1")
	wrong.key = "other"
	none := submit("sub-approve-1")
	none.key = ""
	for _, c := range []call{wrong, none} {
		wantReply(t, post(s, c), http.StatusForbidden, `{"message":"Forbidden"}`)
	}
	wantReply(t, get(s, http.MethodGet, "/faceauth"), http.StatusForbidden, `{"message":"Missing Authentication Token"}`)
	wantReply(t, get(s, http.MethodPut, "/v3/faceauth"), http.StatusForbidden, `{"message":"Missing Authentication Token"}`)

	adjust(t, s, func(k *Knobs) { k.APIKeys = []string{"other"} })
	wantReply(t, post(s, submit("sub-approve-1")), http.StatusForbidden, `{"message":"Forbidden"}`)
	if got := post(s, wrong); got.status != http.StatusOK {
		t.Errorf("with the new key: status %d, want 200", got.status)
	}
	adjust(t, s, func(k *Knobs) { k.DenyAddress = true })
	wantReply(t, post(s, wrong), http.StatusForbidden,
		`{"message":"User is not authorized to access this resource with an explicit deny"}`)
	if st := s.Stats(); st.Forbidden != 6 || st.Charged != 1 {
		t.Errorf("forbidden %d, charged %d, want 6, 1", st.Forbidden, st.Charged)
	}
}

func TestGatewayWaitsForNoBooks(t *testing.T) {
	s := setup(t, func(k *Knobs) { k.PerSecond = 1 })
	vendorsimtest.GatewayWaitsForNoBooks(t, &s.books, http.StatusTooManyRequests, http.StatusOK, func(int) int { return post(s, submit("sub-approve-1")).status })
}

// The allowance is a sliding second: what matters is the call that came as many
// calls ago as are allowed, wherever the clock's own seconds begin.
func TestSlidingSecondRefusesExactlyWhatIsBeyondIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(k *Knobs) { k.PerSecond = 3 })
		start := time.Now()
		for _, step := range []struct {
			at   time.Duration
			want int
		}{
			{0, 200},
			{900 * time.Millisecond, 200},
			{990 * time.Millisecond, 200},
			{999 * time.Millisecond, 429},  // 0, 900, 990 are within
			{1000 * time.Millisecond, 429}, // 900, 990, 999 are
			{1899 * time.Millisecond, 429}, // 900 … and the two refused
			{1999 * time.Millisecond, 200}, // 1000 and 1899 only
			{2900 * time.Millisecond, 200},
			{2998 * time.Millisecond, 200},
			{2999 * time.Millisecond, 200}, // 1999 is a full second ago
		} {
			time.Sleep(time.Until(start.Add(step.at)))
			if got := post(s, submit("sub-approve-1")); got.status != step.want {
				t.Errorf("at %s: status %d, want %d", step.at, got.status, step.want)
			}
		}
		if st := s.Stats(); st.Refused != 3 || st.PeakPerSecond != 5 || st.Calls != 10 {
			t.Errorf("refused %d, peak %d, calls %d, want 3, 5, 10", st.Refused, st.PeakPerSecond, st.Calls)
		}
	})
}

// The meter agrees with a count over all arrivals ever, at random times.
func TestSlidingSecondAgreesWithAFullCount(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		perSecond := 1 + r.IntN(20)
		var m meter
		var arrivals []time.Time
		now, peak := time.Unix(1_000_000, 0), 0
		for range 300 {
			now = now.Add(time.Duration(r.Int64N(int64(2 * time.Second / time.Duration(perSecond)))))
			within := 1
			for _, a := range arrivals {
				if now.Sub(a) < time.Second {
					within++
				}
			}
			arrivals = append(arrivals, now)
			peak = max(peak, within)
			if got, want := m.admit(now, perSecond, 0) == beyondSecond, within > perSecond; got != want {
				t.Fatalf("limit %d, %d within the second: refused %t, want %t", perSecond, within, got, want)
			}
		}
		if m.second.Peak() != peak {
			t.Errorf("peak %d, want %d", m.second.Peak(), peak)
		}
	}
}

func TestEvenCallsAtTheLimitAreNeverRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(k *Knobs) { k.PerSecond = 50 })
		for range 500 {
			post(s, submit("sub-approve-1"))
			time.Sleep(20 * time.Millisecond)
		}
		if st := s.Stats(); st.Refused != 0 || st.PeakPerSecond != 50 {
			t.Errorf("refused %d, peak %d, want 0, 50", st.Refused, st.PeakPerSecond)
		}
	})
}

func TestLimitsCountPerKeyAndOnEveryEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(k *Knobs) { k.PerSecond, k.APIKeys = 1, append(k.APIKeys, "second-key") })
		if got := post(s, submit("sub-approve-1")); got.status != 200 {
			t.Errorf("first key: %d, want 200", got.status)
		}
		other := submit("sub-approve-2")
		other.key = "second-key"
		if got := post(s, other); got.status != 200 {
			t.Errorf("second key: %d, want 200", got.status)
		}
		got := get(s, http.MethodGet, "/v3/faceauth")
		wantReply(t, got, http.StatusTooManyRequests, `{"message":"Too Many Requests"}`)
		if got.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q, want 1", got.header.Get("Retry-After"))
		}
	})
}

func TestDailyAllowanceStartsAgainAtMidnightUTC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(k *Knobs) { k.PerDay, k.RetryAfterSeconds = 2, 0 })
		midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		time.Sleep(time.Until(midnight.Add(-time.Minute)))
		post(s, submit("sub-approve-1"))
		post(s, submit("sub-approve-2"))
		got := post(s, submit("sub-approve-3"))
		wantReply(t, got, http.StatusTooManyRequests, `{"message":"Limit Exceeded"}`)
		if got.header.Get("Retry-After") != "" {
			t.Errorf("Retry-After %q, want none", got.header.Get("Retry-After"))
		}
		time.Sleep(time.Minute)
		if got := post(s, submit("sub-approve-3")); got.status != 200 {
			t.Errorf("after midnight: %d, want 200", got.status)
		}
	})
}

func TestOutagesHitEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(k *Knobs) { k.Outage = fault.ServerError })
		wantReply(t, post(s, submit("sub-approve-1")), http.StatusInternalServerError, `{"message":"Internal server error"}`)

		adjust(t, s, func(k *Knobs) { k.Outage = fault.Refuse })
		if got := get(s, http.MethodGet, "/v3/faceauth"); !got.aborted {
			t.Errorf("refuse: got %d, want a broken connection", got.status)
		}

		adjust(t, s, func(k *Knobs) { k.Outage = fault.Blackhole })
		start := time.Now()
		ctx, cancel := within(t.Context(), time.Minute)
		defer cancel()
		if got := do(s, submit("sub-approve-1").request(ctx)); !got.aborted || time.Since(start) != time.Minute {
			t.Errorf("blackhole: got %d after %s, want nothing for a minute", got.status, time.Since(start))
		}

		adjust(t, s, func(k *Knobs) { k.Outage = fault.NoOutage })
		if got := post(s, submit("sub-approve-1")); got.status != 200 {
			t.Errorf("afterwards: %d, want 200", got.status)
		}
		if st := s.Stats(); st.Outage != 3 || st.Charged != 1 {
			t.Errorf("outage %d, charged %d, want 3, 1", st.Outage, st.Charged)
		}
	})
}

func TestRatesBringAboutTheirShareOfMishaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(k *Knobs) { k.ErrorRate, k.ThrottleRate, k.ResetRate, k.HangRate = 0.3, 0.2, 0.1, 0.1 })
		const n = 2000
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // a hang ends at once
		for range n {
			do(s, submit("sub-approve-1").request(ctx))
		}
		got := s.Stats().Mishaps
		for name, sums := range map[string]struct {
			got  int
			want float64
		}{
			"errors":    {got[vendorsim.Status500] + got[vendorsim.Status502] + got[vendorsim.Status503], 0.3},
			"throttles": {got[vendorsim.Throttled], 0.2},
			"resets":    {got[vendorsim.Reset] + got[vendorsim.ResetEarly], 0.1},
			"hangs":     {got[vendorsim.Hang], 0.1},
		} {
			if share := float64(sums.got) / n; share < sums.want-0.04 || share > sums.want+0.04 {
				t.Errorf("%s: share %.3f, want about %.2f", name, share, sums.want)
			}
		}
		if min(got[vendorsim.Status500], got[vendorsim.Status502], got[vendorsim.Status503], got[vendorsim.Reset], got[vendorsim.ResetEarly]) == 0 {
			t.Errorf("mishaps %v, want some of every kind", got)
		}
	})
}

func TestKnobsThatMakeNoSenseAreRefusedAllAtOnceAndChangeNothing(t *testing.T) {
	s := setup(t, nil)
	err := s.Adjust(func(k *Knobs) error {
		k.Outage, k.ErrorRate, k.MaxBytes, k.Mix.Approved = "flood", 2, 0, 0.5
		return nil
	})
	if err == nil {
		t.Fatal("want an error")
	}
	for _, word := range []string{"outage", "error_rate", "max_bytes", "mix"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not named in: %v", word, err)
		}
	}
	if k := s.Knobs(); k.Outage != fault.NoOutage || k.ErrorRate != 0 {
		t.Errorf("knobs changed: %+v", k)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("New took knobs that are all zero")
	}
}

func TestResetForgetsLedgerCountsAndMishaps(t *testing.T) {
	s := setup(t, nil)
	post(s, submit("sub-500-once-1"))
	post(s, submit("sub-500-once-1"))
	s.Reset()
	if st := s.Stats(); st.Calls != 0 || st.Charged != 0 || st.PeakPerSecond != 0 || len(st.Mishaps) != 0 || len(s.Charged("")) != 0 {
		t.Errorf("after Reset: %+v", st)
	}
	if got := post(s, submit("sub-500-once-1")); got.status != 500 {
		t.Errorf("the mishap after Reset: %d, want 500", got.status)
	}
}
