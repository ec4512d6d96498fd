package vendorsim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"reauth/internal/sandbox/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dials are knobs with something that is shared if it is not copied.
type dials struct {
	Health
	Names []string
}

func (d dials) Clone() dials {
	d.Names = append([]string{}, d.Names...)
	return d
}

func TestKnobsTurnAllOrNotAtAll(t *testing.T) {
	given := dials{Names: []string{"a"}}
	b, err := NewBase(given)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	given.Names[0] = "changed"
	b.Knobs().Names[0] = "changed"
	refusal := errors.New("no")
	for name, change := range map[string]func(*dials) error{
		"one that is refused": func(d *dials) error { d.Names[0], d.RetryAfterSeconds = "b", 7; return refusal },
		"one that is invalid": func(d *dials) error { d.Names[0], d.ErrorRate = "b", 2; return nil },
	} {
		if err := b.Adjust(change); err == nil {
			t.Errorf("%s: taken", name)
		}
		if k := b.Knobs(); k.Names[0] != "a" || k.RetryAfterSeconds != 0 || k.ErrorRate != 0 {
			t.Errorf("%s: left %+v", name, k)
		}
	}
	if err := b.Adjust(func(d *dials) error { d.RetryAfterSeconds = 7; return nil }); err != nil || b.Knobs().RetryAfterSeconds != 7 {
		t.Errorf("a good one: %v, left %+v", err, b.Knobs())
	}
	if _, err := NewBase(dials{Health: Health{Outage: "flood"}}); err == nil {
		t.Error("begins with bad knobs")
	}
	b.Close()
	b.Close()
	<-b.Closed()
}

func TestHealthNamesEveryFault(t *testing.T) {
	for name, h := range map[string]Health{
		"outage": {Outage: "flood"}, "retry": {RetryAfterSeconds: -1}, "rate": {HangRate: -0.1}, "share": {ErrorRate: 1.1}, "sum": {ResetRate: 0.6, ThrottleRate: 0.6},
	} {
		if h.Validate() == nil {
			t.Errorf("%s: no fault in %+v", name, h)
		}
	}
	if err := (Health{ErrorRate: 0.5, HangRate: 0.5}).Validate(); err != nil {
		t.Error(err)
	}
}

// The meter agrees with a count over all arrivals ever, at random times.
func TestMeterAgreesWithAFullCount(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		perSecond := r.IntN(20)
		var m Meter
		var arrivals []time.Time
		now, peak := time.Unix(1_000_000, 0), 0
		for range 300 {
			// In steps of 20 ms, so that some lie a second apart to the instant.
			now = now.Add(time.Duration(r.IntN(100/(perSecond+1)+1)) * 20 * time.Millisecond)
			within := 1
			for _, a := range arrivals {
				if now.Sub(a) < time.Second {
					within++
				}
			}
			arrivals, peak = append(arrivals, now), max(peak, within)
			if got, want := m.Admit(now, perSecond), perSecond == 0 || within <= perSecond; got != want {
				t.Fatalf("limit %d, %d within the second: admitted %t, want %t", perSecond, within, got, want)
			}
		}
		if m.Peak() != peak {
			t.Errorf("peak %d, want %d", m.Peak(), peak)
		}
	}
}

func TestScriptedMishapsHappenAsOftenAsTheySay(t *testing.T) {
	c := NewChance(1)
	twice := Mishap{Kind: Hang, Times: 2}
	draw := func(subject string) MishapKind {
		m, _ := c.Draw(Health{ThrottleRate: 1}, subject, twice, false)
		return m.Kind
	}
	if got := fmt.Sprint([]MishapKind{draw("a"), draw("a"), draw("b"), draw("a"), draw("b"), draw("b")}); got != "[hang hang hang  hang ]" {
		t.Errorf("met %q", got)
	}
	if m, _ := c.Draw(Health{ThrottleRate: 1}, "a", twice, true); m.Kind != Throttled {
		t.Errorf("by rate: %q", m.Kind)
	}
	c.Forget()
	if got := draw("a"); got != Hang {
		t.Errorf("after Forget: %q", got)
	}
	latency, err := fault.ParseDelay("300ms")
	if err != nil {
		t.Fatal(err)
	}
	if _, took := c.Draw(Health{Latency: latency}, "a", Mishap{}, true); took != 300*time.Millisecond {
		t.Errorf("latency %s", took)
	}
}

func TestWordsOfScripts(t *testing.T) {
	for word, want := range map[string]bool{"429": true, "hang": true, "badjson": true, "": false, "404": false, "code": false} {
		if _, ok := ParseMishap(word); ok != want {
			t.Errorf("%q: a mishap %t", word, ok)
		}
	}
	for word, want := range map[string]int{"once": 1, "twice": 2, "always": Always, "thrice": 0} {
		if n, ok := ParseTimes(word); n != want || ok != (want > 0) {
			t.Errorf("%q: %d, %t", word, n, ok)
		}
	}
	for kind, want := range map[MishapKind]bool{NoMishap: false, Throttled: false, Status502: false, ResetEarly: false, Status504: true, BadJSON: true, Reset: true, Hang: true} {
		if kind.Committed() != want {
			t.Errorf("%q: committed %t", kind, kind.Committed())
		}
	}
}

func TestTokensAreGoodUntilTheyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tokens Tokens
		want := func(why, token string, revokeAfter int, good bool) {
			t.Helper()
			if got := tokens.Use(token, revokeAfter); got != good {
				t.Errorf("%s: %t", why, got)
			}
		}
		want("before there is one", "", 0, false)
		first, second := tokens.Give(2), tokens.Give(2)
		time.Sleep(2*time.Second - 1)
		want("in its last moment", first, 0, true)
		time.Sleep(time.Nanosecond)
		want("expired", first, 0, false)
		tokens.Drop(second)
		third := tokens.Give(2)
		want("first use", third, 1, true)
		want("second use of one", third, 1, false)
		want("used up for good", third, 0, false)
		fourth := tokens.Give(2)
		tokens.Revoke()
		want("revoked", fourth, 0, false)
	})
}

// met serves one mishap and says what the caller sees.
func met(serve func(http.ResponseWriter, *http.Request)) (text string) {
	w := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			text = "aborted"
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // a hang ends at once
	serve(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	return fmt.Sprint(w.Code, " ", w.Header().Get("Retry-After"), " ", w.Header().Get("Content-Type"), " ", w.Body.Len())
}

func TestWhatACallerSeesOfAMishap(t *testing.T) {
	plain := func(w http.ResponseWriter, status int) {
		w.Header().Set("Content-Type", "own")
		w.WriteHeader(status)
	}
	for kind, want := range map[MishapKind]string{
		Throttled: "429 7 own 0", ThrottleBare: "429  own 0", Status500: "500  own 0", Status502: "502  text/html 122", Status503: "503  own 0", ResetEarly: "aborted",
	} {
		if got := met(func(w http.ResponseWriter, _ *http.Request) { Fail(w, kind, 7, plain) }); got != want {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
	for kind, want := range map[MishapKind]string{
		Status504: "504  own 0", BadJSON: "201  application/json 5", Reset: "aborted", Hang: "aborted",
	} {
		lose := func(w http.ResponseWriter, r *http.Request) {
			Lose(w, r, kind, nil, http.StatusCreated, "12345678", plain)
		}
		if got := met(lose); got != want {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
}

func TestTrafficCountsWhatIsUnderWay(t *testing.T) {
	traffic := NewTraffic(1)
	traffic.Enter()
	traffic.Enter()
	traffic.Leave()
	traffic.Meet(NoMishap)
	traffic.Meet(Hang)
	copied := traffic.Clone()
	traffic.Meet(Hang)
	if copied.InFlight != 2 || copied.PeakInFlight != 3 || len(copied.Mishaps) != 1 || copied.Mishaps[Hang] != 1 {
		t.Errorf("%+v", copied)
	}
}
