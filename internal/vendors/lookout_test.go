package vendors

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// newLookers returns replicas whose free checks answer says how end, and the times
// of all checks.
func newLookers(calls, checks func() error, change func(*LaneConfig)) (g *hearers, looks func() []time.Time) {
	g = newHearers(func(int, int) error { return calls() }, change)
	var mu sync.Mutex
	var made []time.Time
	for _, a := range g.adapters {
		a.check = func() error {
			mu.Lock()
			made = append(made, time.Now())
			mu.Unlock()
			return checks()
		}
	}
	return g, func() []time.Time {
		mu.Lock()
		defer mu.Unlock()
		slices.SortFunc(made, time.Time.Compare)
		return made
	}
}

// TestRecoveryIsSeenLongBeforeTheOpenPeriodEnds: the group is back at its full rate
// two seconds after the vendor is, and one replica looks at a time.
func TestRecoveryIsSeenLongBeforeTheOpenPeriodEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(100 * time.Second)
		answer := func() error {
			if time.Now().Before(back) {
				return fault(Transient)
			}
			return nil
		}
		g, looks := newLookers(answer, answer, func(c *LaneConfig) { c.Breaker.Open = time.Minute })
		g.run(120 * time.Second)
		if n := g.calls(back.Add(2*time.Second), back.Add(12*time.Second), 0, 1, 2); n < 485 {
			t.Errorf("%d calls in the ten seconds from two after the return on, want all 490", n)
		}
		made := looks()
		if len(made) < 90 {
			t.Errorf("%d looks in 100 s of an outage, want one a second", len(made))
		}
		for i := 1; i < len(made); i++ {
			if gap := made[i].Sub(made[i-1]); gap < 900*time.Millisecond {
				t.Errorf("a look %v after the one before", gap)
			}
		}
	})
}

// TestLooksThatPromiseTooMuch: the free check goes well all the time, calls fail.
// What that costs is a few probes.
func TestLooksThatPromiseTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		g, _ := newLookers(func() error { return fault(Transient) }, func() error { return nil }, nil)
		g.run(5 * time.Minute)
		probes := g.calls(start.Add(5*time.Second), start.Add(5*time.Minute), 0, 1, 2)
		if periods := 300 / 15; probes > periods+5 || probes < periods-5 {
			t.Errorf("%d probes in %d open periods", probes, periods)
		}
	})
}

// TestVendorThatIsHalfOut: a vendor that fails three calls in five is not called
// ever again at once because it answers the check, and the odd probe.
func TestVendorThatIsHalfOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(1, 1))
		g, _ := newLookers(func() error {
			mu.Lock()
			defer mu.Unlock()
			if random.Float64() < .4 {
				return nil
			}
			return fault(Transient)
		}, func() error { return nil }, nil)
		g.run(10 * time.Minute)
		// One period in two and a half ends with a probe that succeeds; then some
		// 30 calls are made until the breaker opens again.
		calls := g.calls(start.Add(time.Minute), start.Add(10*time.Minute), 0, 1, 2)
		if periods := 540 / 15; calls > periods*30 {
			t.Errorf("%d calls in %d open periods", calls, periods)
		}
	})
}

// TestLooksKeepTheLimits, also those that the pace does not keep.
func TestLooksKeepTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		looks := 0
		a := &fakeAdapter{answer: func(int) error { return fault(Transient) }, check: func() error {
			looks++
			return fault(Transient)
		}}
		c := config()
		c.Windows = []Window{{5, time.Second}, {30, time.Minute}}
		l := NewLane(a, c)
		l.SetShards([]int{0}, 1)
		l.SetProbeTurns([]int{0}, 1)
		l.EndRestore(0)
		drive(l, 10, 61*time.Second)
		if calls := len(a.made()); calls+looks > 30 || looks == 0 {
			t.Errorf("%d calls and %d looks in %v, want 30 in all at most", calls, looks, time.Since(start))
		}
	})
}

// TestNextOutageIsLookedAtAfresh: what looks promised in one outage, here to a
// replica alone, counts in that one only.
func TestNextOutageIsLookedAtAfresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		callsFail, checksFail := true, false
		answer := func(fails *bool) func() error {
			return func() error {
				if *fails {
					return fault(Transient)
				}
				return nil
			}
		}
		a := &fakeAdapter{delay: 10 * time.Millisecond, check: answer(&checksFail)}
		a.answer = func(int) error { return answer(&callsFail)() }
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		l.SetProbeTurns([]int{0}, 1)
		drive(l, 20, 2*time.Minute)
		tripping := 20 + 3
		if n := len(a.made()) - tripping; n > 120/15+5 {
			t.Errorf("%d probes in %v", n, time.Since(start))
		}
		callsFail = false
		drive(l, 20, time.Minute)
		callsFail, checksFail = true, true
		drive(l, 20, 20*time.Second)
		callsFail, checksFail = false, false
		before := len(a.made())
		drive(l, 20, 3*time.Second)
		if n := len(a.made()) - before; n < 49 {
			t.Errorf("%d calls in the 3 s after the vendor's return, want a second's at least", n)
		}
	})
}
