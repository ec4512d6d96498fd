package vendors

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLaneUsesTheWholeAllowanceAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{delay: 300 * time.Millisecond}
		l := NewLane(a, config())
		l.SetShards([]int{0, 1, 2}, 3)
		drive(l, 40, 20*time.Second)
		calls := a.made()
		if got := len(calls); got < 49*19 {
			t.Errorf("%d calls in 20 s, want 49 a second", got)
		}
		for i := 50; i < len(calls); i++ {
			if calls[i].Sub(calls[i-50]) <= time.Second {
				t.Fatalf("51 calls within %v", calls[i].Sub(calls[i-50]))
			}
		}
	})
}

// Who is held up between two permits for a little less than they are early lets no slot
// pass.
func TestNoSlotIsLostToShortStandstills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Windows = perSecond(400)
		l := NewLane(&fakeAdapter{}, cfg)
		l.SetShards([]int{0}, 1)
		var last time.Time
		for i := range 400 {
			p, err := l.ReserveFor(t.Context(), 0, 3*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if between := p.At.Sub(last); i > 0 && between > 3*time.Millisecond {
				t.Fatalf("%v between two calls, want a slot's length", between)
			}
			last = p.At
			p.end(nil, 0)
			if i%10 == 0 {
				time.Sleep(12 * time.Millisecond)
			}
		}
	})
}

// TestLateCallsAreMadeUpFor: of every 75 calls, five in a row connect anew.
func TestLateCallsAreMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		a := &fakeAdapter{delay: 300 * time.Millisecond, connect: func() time.Duration {
			if n.Add(1)%75 < 5 {
				return 150 * time.Millisecond
			}
			return 0
		}}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		drive(l, 40, 20*time.Second)
		calls := a.made()
		if got := len(calls); got < 45*19 {
			t.Errorf("%d calls in 20 s, want 45 a second", got)
		}
		for i := 50; i < len(calls); i++ {
			if calls[i].Sub(calls[i-50]) <= time.Second {
				t.Fatalf("51 calls within %v", calls[i].Sub(calls[i-50]))
			}
		}
		if late := testutil.ToFloat64(l.metrics.late); late < 50 || late > 65 {
			t.Errorf("%v of %d calls were counted as late", late, n.Load())
		}
	})
}

func TestReplicasShareTheAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{delay: 100 * time.Millisecond}
		var wg sync.WaitGroup
		for _, shards := range [][]int{{0, 3, 4}, {1}, {2, 5, 6, 7, 8, 9, 10, 11}} {
			l := NewLane(a, config())
			l.SetShards(shards, 12)
			wg.Go(func() { drive(l, 20, 10*time.Second) })
		}
		wg.Wait()
		calls := a.made()
		if got := len(calls); got < 49*9 {
			t.Errorf("%d calls in 10 s, want 49 a second", got)
		}
		for i := 50; i < len(calls); i++ {
			if calls[i].Sub(calls[i-50]) <= time.Second {
				t.Fatalf("51 calls within %v", calls[i].Sub(calls[i-50]))
			}
		}
	})
}

func TestLaneWithoutShardsMakesNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{}
		l := NewLane(a, config())
		drive(l, 2, time.Minute)
		l.SetShards([]int{0}, 1)
		l.SetShards(nil, 1)
		drive(l, 2, time.Minute)
		if n := len(a.made()); n != 0 {
			t.Errorf("%d calls without a shard", n)
		}
	})
}

func TestCallsInFlightAreCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		a := &fakeAdapter{delay: time.Second, answer: func(int) error { now.Add(-1); return nil }}
		cfg := config()
		cfg.MaxInFlight, cfg.Windows = 7, nil
		l := NewLane(counting{a, &now, &most}, cfg)
		drive(l, 50, 5*time.Second)
		if most.Load() != 7 {
			t.Errorf("%d calls at once, want the cap of 7", most.Load())
		}
	})
}

// counting counts the calls under way.
type counting struct {
	*fakeAdapter
	now, most *atomic.Int64
}

func (c counting) Authenticate(ctx context.Context, call Call) (Verdict, error) {
	if n := c.now.Add(1); n > c.most.Load() {
		c.most.Store(n)
	}
	return c.fakeAdapter.Authenticate(ctx, call)
}

func TestSlotGivenBackIsUsedByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Windows = perSecond(1)
		l := NewLane(&fakeAdapter{}, cfg)
		l.SetShards([]int{0}, 1)
		p, err := l.ReserveFor(t.Context(), 0, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		at := p.At
		p.Release()
		if p, err = l.ReserveFor(t.Context(), 0, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if !p.At.Equal(at) {
			t.Errorf("the next permit is for %v, the one given back was for %v", p.At, at)
		}
		p.Release()
	})
}

func TestMissedSlotMakesNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		p, err := l.ReserveFor(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(p.At) + Lateness + 1) // fake time: a claim that took too long
		if _, err := l.Call(t.Context(), p, Call{}, may); !errors.Is(err, ErrMissed) {
			t.Errorf("call past its slot: %v", err)
		}
		if len(a.made()) != 0 || l.inFlight.taken() != 0 {
			t.Error("a missed permit was used, or kept its place")
		}
	})
}

func TestPermitForAShardThatMovedMakesNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		p, _ := l.ReserveFor(t.Context(), 0, 0)
		l.SetShards(nil, 1)
		if _, err := l.Call(t.Context(), p, Call{}, may); !errors.Is(err, ErrMissed) || len(a.made()) != 0 {
			t.Errorf("call in a slot of somebody else's: %v, %d calls", err, len(a.made()))
		}
	})
}

func TestReserveEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLane(&fakeAdapter{}, config())
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { time.Sleep(time.Second); cancel(stop) }()
		if _, err := l.ReserveFor(ctx, 0, 0); !errors.Is(err, stop) {
			t.Errorf("Reserve ended with %v", err)
		}
		if l.inFlight.taken() != 0 || l.turn.taken() != 0 {
			t.Error("an ended Reserve kept its place")
		}
	})
}

func TestMetricsAreBornAtZeroAndLint(t *testing.T) {
	reg := prometheus.NewRegistry()
	cfg := config()
	cfg.Registerer = reg
	NewLane(&fakeAdapter{}, cfg)
	if faults, err := testutil.GatherAndLint(reg); err != nil || len(faults) > 0 {
		t.Errorf("%v %v", faults, err)
	}
	if n, err := testutil.GatherAndCount(reg, "reauth_vendor_calls_total"); err != nil || n != len(callResults) {
		t.Errorf("%d series of calls at the start, want %d (%v)", n, len(callResults), err)
	}
}
