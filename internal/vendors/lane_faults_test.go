package vendors

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
)

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

// A vendor counts requests, whatever they are for: also those that find out whether a
// paused lane works again.
func TestChecksOfPausedLanesKeepTheLimits(t *testing.T) {
	for _, w := range []Window{{2, time.Second}, {10, time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			a := &fakeAdapter{}
			a.answer = func(int) error {
				if time.Since(start) < 2*w.Per {
					return fault(LaneFault)
				}
				return nil
			}
			a.check = func() error {
				a.mu.Lock()
				defer a.mu.Unlock()
				a.calls = append(a.calls, time.Now())
				return a.answer(0)
			}
			var wg sync.WaitGroup
			for shard := range 3 {
				c := config()
				c.Windows = []Window{w}
				l := NewLane(a, c)
				l.SetShards([]int{shard}, 3)
				wg.Go(func() { drive(l, 3, 6*w.Per) })
			}
			wg.Wait()
			made := a.made()
			for i := w.Count; i < len(made); i++ {
				if within := made[i].Sub(made[i-w.Count]); within <= w.Per {
					t.Fatalf("%d calls and checks within %v", w.Count+1, within)
				}
			}
			if n := len(made); n < 4*w.Count {
				t.Errorf("%d calls and checks in six windows of %d", n, w.Count)
			}
		})
	}
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
		if gap := calls[100].Sub(refused); gap < 5*time.Second {
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

// Some calls go sooner and others wait for their slots, which are a claim's time ahead.
// Whoever has a permit already waits as well, and reserves anew.
func TestNoPermitFromBeforeARefusalIsUsedInTheBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		time.Sleep(time.Second)
		const lead = 500 * time.Millisecond // claims are slow
		var permits []*Permit
		for range 3 {
			p, err := l.ReserveFor(t.Context(), 0, lead)
			if err != nil {
				t.Fatal(err)
			}
			permits = append(permits, p)
		}
		permits[0].end(&Error{Vendor: event.Argos, Kind: Throttled, RetryAfter: 5 * time.Second}, 0)
		refused := time.Now()
		for _, p := range permits[1:] {
			if _, err := l.Call(t.Context(), p, Call{}, may); !errors.Is(err, ErrMissed) {
				t.Errorf("a call %v after the refusal: %v", time.Since(refused), err)
			}
		}
		if n := len(a.made()); n != 0 || l.inFlight.taken() != 0 {
			t.Errorf("%d calls in the back-off, %d permits kept their places", n, l.inFlight.taken())
		}
	})
}

func TestThrottledLaneKeepsToItsRateWhereSomeCallsGoSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		l.Keep(time.Now().Add(time.Hour))
		const claim = 100 * time.Millisecond
		time.Sleep(5 * time.Second)
		begin := time.Now()
		l.BackOff(begin.Add(time.Second))
		ctx, cancel := context.WithDeadline(t.Context(), begin.Add(3*time.Second))
		defer cancel()
		var wg sync.WaitGroup
		for range 60 {
			wg.Go(func() {
				for ctx.Err() == nil {
					p, err := l.ReserveFor(ctx, 0, claim)
					if err != nil {
						return
					}
					time.Sleep(claim)
					_, _ = l.Call(t.Context(), p, Call{}, may)
				}
			})
		}
		wg.Wait()
		// In two seconds the rate climbs from 24.5 to 29.4 a second.
		if n := len(a.made()); n < 48 || n > 62 {
			t.Errorf("%d calls in two seconds at about 27 a second", n)
		}
	})
}

func TestCallHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{delay: time.Hour}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		p, _ := l.ReserveFor(t.Context(), 0, 0)
		start := time.Now()
		_, err := l.Call(t.Context(), p, Call{}, may)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 31*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
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
