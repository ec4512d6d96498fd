package vendors

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"reauth/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeAdapter answers each call as answer says and notes when it came.
type fakeAdapter struct {
	answer func(n int) error
	check  func() error
	delay  time.Duration
	// connect is how long a call takes to connect before it leaves.
	connect func() time.Duration

	mu    sync.Mutex
	calls []time.Time
}

func (f *fakeAdapter) Name() event.Vendor         { return event.Argos }
func (f *fakeAdapter) Capabilities() Capabilities { return Capabilities{} }

func (f *fakeAdapter) Check(context.Context) error {
	if f.check == nil {
		return nil
	}
	return f.check()
}

func (f *fakeAdapter) Authenticate(ctx context.Context, _ Call) (Verdict, error) {
	if f.connect != nil {
		time.Sleep(f.connect())
	}
	if left, ok := ctx.Value(leaving{}).(func()); ok {
		left()
	}
	f.mu.Lock()
	f.calls = append(f.calls, time.Now())
	n := len(f.calls)
	f.mu.Unlock()
	if f.delay > 0 {
		if err := sleep(ctx, f.delay, nil); err != nil {
			return Verdict{}, &Error{Vendor: event.Argos, Kind: Transient, Unknown: true, Err: ctx.Err()}
		}
	}
	if f.answer != nil {
		if err := f.answer(n); err != nil {
			return Verdict{}, err
		}
	}
	return Verdict{Outcome: event.Approved}, nil
}

func (f *fakeAdapter) made() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Time(nil), f.calls...)
}

func fault(k Kind) error { return &Error{Vendor: event.Argos, Kind: k, Op: "authenticate"} }

// may allows every call.
func may() error { return nil }

func config() LaneConfig {
	return LaneConfig{
		PerSecond: 50, Headroom: 0.02, MaxInFlight: 256, Timeout: 30 * time.Second,
		Breaker: BreakerConfig{Ratio: .5, MinCalls: 20, Window: 30 * time.Second, SlowCall: 20 * time.Second, Open: 15 * time.Second, Probes: 1},
		Logger:  slog.New(slog.DiscardHandler),
	}
}

// drive keeps n callers busy on the lane for d, each caller asking for the next
// permit when its call ended, and returns when all have ended.
func drive(l *Lane, n int, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for {
				p, err := l.Reserve(ctx, 0)
				if err != nil {
					return
				}
				_, _ = l.Call(context.Background(), p, Call{}, may)
			}
		})
	}
	wg.Wait()
}

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
		cfg.MaxInFlight, cfg.PerSecond = 7, 0
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
		cfg.PerSecond = 1
		l := NewLane(&fakeAdapter{}, cfg)
		l.SetShards([]int{0}, 1)
		p, err := l.Reserve(t.Context(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		at := p.At
		p.Release()
		if p, err = l.Reserve(t.Context(), time.Millisecond); err != nil {
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
		p, err := l.Reserve(t.Context(), 0)
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
		p, _ := l.Reserve(t.Context(), 0)
		l.SetShards(nil, 1)
		if _, err := l.Call(t.Context(), p, Call{}, may); !errors.Is(err, ErrMissed) || len(a.made()) != 0 {
			t.Errorf("call in a slot of somebody else's: %v, %d calls", err, len(a.made()))
		}
	})
}

func TestBreakerOpensOnFailuresAndProbesOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a := &fakeAdapter{delay: 10 * time.Millisecond}
		a.answer = func(int) error {
			if time.Since(start) < time.Minute {
				return fault(Transient)
			}
			return nil
		}
		a.check = func() error { return a.answer(0) }
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		drive(l, 40, 59*time.Second)
		down := len(a.made())
		// 20 to trip, those under way then, and a probe each 15 s.
		if down < 20 || down > 20+2+3 {
			t.Errorf("%d calls to a vendor that is down", down)
		}
		drive(l, 40, 40*time.Second)
		calls := a.made()
		back := calls[down : down+2]
		if wait := back[0].Sub(start.Add(time.Minute)); wait > 1100*time.Millisecond {
			t.Errorf("first probe after the return came after %v", wait)
		}
		if gap := back[1].Sub(back[0]); gap > 2*time.Second {
			t.Errorf("full rate came %v after the probe", gap)
		}
	})
}

func TestVerdictsAndRefusalsKeepTheBreakerClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{answer: func(n int) error {
			if n%2 == 0 {
				return fault(Refused)
			}
			return nil
		}}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		drive(l, 5, 10*time.Second)
		if l.BreakerState() != BreakerClosed {
			t.Errorf("breaker %v after refusals", l.BreakerState())
		}
	})
}

func TestSlowCallsOpenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{delay: 21 * time.Second}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		drive(l, 30, 20*time.Second)
		if l.BreakerState() != BreakerOpen {
			t.Errorf("breaker %v after 30 slow calls", l.BreakerState())
		}
	})
}

func TestLaneFaultPausesAndTheFreeCheckProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var good atomic.Bool
		wrong := func() error {
			if good.Load() {
				return nil
			}
			return fault(LaneFault)
		}
		a := &fakeAdapter{check: wrong, answer: func(int) error { return wrong() }}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		drive(l, 40, time.Minute)
		if n := len(a.made()); n != 1 {
			t.Errorf("%d calls with a wrong key, want the one that showed it", n)
		}
		if l.Fault() == nil {
			t.Error("the lane is not paused")
		}
		good.Store(true)
		drive(l, 40, 20*time.Second)
		if l.Fault() != nil {
			t.Errorf("still paused 20 s after the key was mended: %v", l.Fault())
		}
		if n := len(a.made()); n < 49*4 {
			t.Errorf("%d calls in the 20 s after the key was mended", n)
		}
	})
}

func TestThrottledLaneBacksOffAndClimbsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a := &fakeAdapter{answer: func(n int) error {
			if n == 100 {
				return &Error{Vendor: event.Argos, Kind: Throttled, RetryAfter: 5 * time.Second}
			}
			return nil
		}}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		drive(l, 10, 40*time.Second)
		calls := a.made()
		refused := calls[99]
		if gap := calls[101].Sub(refused); gap < 5*time.Second {
			t.Errorf("a call %v after a Retry-After of 5 s", gap)
		}
		per := func(from time.Duration) (n int) {
			for _, c := range calls {
				if d := c.Sub(start); d >= from && d < from+time.Second {
					n++
				}
			}
			return n
		}
		if n := per(refused.Sub(start) + 6*time.Second); n < 20 || n > 40 {
			t.Errorf("%d calls in the second after the back-off, want about half of 49", n)
		}
		if n := per(39 * time.Second); n < 47 {
			t.Errorf("%d calls in the last second, want the full rate again", n)
		}
	})
}

func TestReserveEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLane(&fakeAdapter{}, config())
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { time.Sleep(time.Second); cancel(stop) }()
		if _, err := l.Reserve(ctx, 0); !errors.Is(err, stop) {
			t.Errorf("Reserve ended with %v", err)
		}
		if l.inFlight.taken() != 0 || l.turn.taken() != 0 {
			t.Error("an ended Reserve kept its place")
		}
	})
}

func TestCallHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{delay: time.Hour}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		p, _ := l.Reserve(t.Context(), 0)
		start := time.Now()
		_, err := l.Call(t.Context(), p, Call{}, may)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 31*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
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

// Each replica has only its part of the slots, so each must slow down in
// proportion to that for the group to come back at half the rate.
func TestThrottledGroupComesBackAtHalfTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{}
		start := time.Now()
		var wg sync.WaitGroup
		for replica := range 3 {
			l := NewLane(a, config())
			l.SetShards([]int{replica}, 3)
			l.BackOff(start.Add(5 * time.Second))
			wg.Go(func() { drive(l, 10, 8*time.Second) })
		}
		wg.Wait()
		n := 0
		for _, at := range a.made() {
			if d := at.Sub(start); d >= 6*time.Second && d < 7*time.Second {
				n++
			}
		}
		if n < 20 || n > 40 {
			t.Errorf("%d calls in the second after the back-off, want about half of 49", n)
		}
	})
}
