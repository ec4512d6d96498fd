package vendors

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
)

// slowToConnect is a transport that takes a while before a request leaves.
type slowToConnect struct{}

func (slowToConnect) RoundTrip(r *http.Request) (*http.Response, error) {
	if took, err := time.ParseDuration(strings.Trim(r.URL.Path, "/")); err == nil {
		time.Sleep(took)
	}
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GotConn(httptrace.GotConnInfo{})
	if trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// tokenAdapter fetches a token for its first call.
type tokenAdapter struct {
	tokens *Tokens
	path   string // of calls
}

func (tokenAdapter) Name() event.Vendor          { return event.Faceki }
func (tokenAdapter) Capabilities() Capabilities  { return Capabilities{} }
func (tokenAdapter) Check(context.Context) error { return nil }

func (a tokenAdapter) Authenticate(ctx context.Context, _ Call) (Verdict, error) {
	if _, err := a.tokens.Get(ctx); err != nil {
		return Verdict{}, err
	}
	return Verdict{Outcome: event.Approved}, get(ctx, a.path)
}

func get(ctx context.Context, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://vendor"+path, nil)
	if err == nil {
		_, err = Exchange(&http.Client{Transport: slowToConnect{}}, r, 100)
	}
	return err
}

// What counts is when the call itself leaves, not the request for a token before it.
func TestCallIsLateWhenItLeavesLate(t *testing.T) {
	for name, c := range map[string]struct {
		token, call string
		late        float64
	}{
		"on time":                             {"/0s", "/0s", 0},
		"it waits for a token":                {"/100ms", "/0s", 1},
		"it connects anew, not for its token": {"/0s", "/100ms", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := tokenAdapter{path: c.call, tokens: NewTokens(func(ctx context.Context) (*Token, error) {
					return &Token{Expires: time.Now().Add(time.Hour), RenewAt: time.Now().Add(time.Hour)}, get(ctx, c.token)
				}, time.Now)}
				l := NewLane(a, config())
				l.SetShards([]int{0}, 1)
				p, err := l.ReserveFor(t.Context(), 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := l.Call(t.Context(), p, Call{}, may); err != nil {
					t.Fatal(err)
				}
				if late := testutil.ToFloat64(l.metrics.late); late != c.late {
					t.Errorf("%v calls counted as late, want %v", late, c.late)
				}
			})
		})
	}
}

// stalledVendor is reached by requests that have no connection for a while.
type stalledVendor struct {
	tokenAdapter
	wait func() time.Duration // for a connection, from now

	mu      sync.Mutex
	arrived []time.Time
}

func (v *stalledVendor) Authenticate(ctx context.Context, _ Call) (Verdict, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://vendor", NewBody([]byte("x"), nil, nil))
	if err != nil {
		return Verdict{}, err
	}
	if a, err := Exchange(&http.Client{Transport: v}, r, 100); err != nil {
		return Verdict{}, Unsent(event.Faceki, "authenticate", a.Reached, err)
	}
	return Verdict{Outcome: event.Approved}, nil
}

func (v *stalledVendor) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(v.wait())
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GotConn(httptrace.GotConnInfo{})
	if _, err := io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	trace.WroteHeaders()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.arrived = append(v.arrived, time.Now())
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// Those who wait for a connection must not leave all at once when they have one.
func TestLimitHoldsWhenConnectionsAreSlowToOpen(t *testing.T) {
	for _, out := range []time.Duration{500 * time.Millisecond, time.Second, 3 * time.Second, 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			opens := time.Now().Add(5*time.Second + out)
			v := &stalledVendor{wait: func() time.Duration {
				if until := time.Until(opens); until < out {
					return until
				}
				return 0
			}}
			l := NewLane(v, config())
			l.SetShards([]int{0}, 1)
			l.Keep(time.Now().Add(time.Hour)) // so that calls may go ahead of their slots
			drive(l, 400, 20*time.Second)
			slices.SortFunc(v.arrived, time.Time.Compare)
			first := 0
			for i, at := range v.arrived {
				for at.Sub(v.arrived[first]) >= time.Second {
					first++
				}
				if n := i - first + 1; n > 50 {
					t.Fatalf("%d calls within a second after %v without a connection", n, out)
				}
			}
			if want := int(49*(20-out.Seconds())*.97) - 30; len(v.arrived) < want {
				t.Errorf("%d calls with %v without a connection, want %d", len(v.arrived), out, want)
			}
		})
	}
}

// Late calls of an idle lane go as far ahead of their new slots as any other.
func TestLateCallsLeaveInAShortBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		opens := begin.Add(7 * time.Second)
		v := &stalledVendor{wait: func() time.Duration { return time.Until(opens) }}
		cfg := config()
		cfg.Windows = perSecond(10)
		l := NewLane(v, cfg)
		l.SetShards([]int{0}, 1)
		l.Keep(begin.Add(time.Hour))
		time.Sleep(5 * time.Second)
		var calls sync.WaitGroup
		for range 9 {
			p, err := l.ReserveFor(t.Context(), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			calls.Go(func() {
				if _, err := l.Call(t.Context(), p, Call{}, may); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		atOnce := 0
		for _, at := range v.arrived {
			if at.Sub(opens) < 10*time.Millisecond {
				atOnce++
			}
		}
		if atOnce < 2 || atOnce > fewAhead {
			t.Errorf("%d late calls left at once, want %d", atOnce, fewAhead)
		}
	})
}

// A call that is late and has no other slot is not made, and known not to be.
func TestLateCallWithoutASlotDoesNotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &stalledVendor{wait: func() time.Duration { return time.Second }}
		l := NewLane(v, config())
		l.SetShards([]int{0}, 1)
		p, err := l.ReserveFor(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(500*time.Millisecond, func() { l.SetShards(nil, 1) })
		_, err = l.Call(t.Context(), p, Call{}, may)
		if fault, ok := errors.AsType[*Error](err); !ok || fault.Unknown || len(v.arrived) != 0 {
			t.Errorf("error %v, %d calls", err, len(v.arrived))
		}
	})
}

// A slot that passes unused while one is owed for a late call makes up for that call,
// and is not spare as well: also if somebody looks shortly before it, who needs longer
// until a call could leave.
func TestSlotThatMakesUpForALateCallIsNotSpare(t *testing.T) {
	for name, looks := range map[string][]time.Duration{"nobody looks": nil, "somebody looks before": {97 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			const lead = 20 * time.Millisecond
			q := newQuota(newLimits([]Window{{3, 100 * time.Millisecond}}, 0), nil)
			q.setShards([]int{0, 2}, 3, noon)
			first, _, _ := q.next(noon.Add(time.Second), lead)
			second, _, _ := q.nextOwn(first.begin, first.begin)
			third, _, _ := q.nextOwn(second.begin, second.begin)
			for _, s := range []slot{first, second} {
				q.take(s, anyShard, s.begin.Add(-lead))
			}
			left := first.begin.Add(22 * time.Millisecond)
			q.sent(first.begin, nil, left)
			for _, after := range looks {
				q.next(first.begin.Add(after), lead)
			}
			now := third.begin.Add(time.Millisecond)
			if s, _, _ := q.next(now, lead); s.sooner {
				t.Errorf("a third call leaves %v after the late one, where 2 of 100 ms are ours", now.Sub(left))
			}
		})
	}
}
