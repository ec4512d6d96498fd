package vendors

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// hearers are lanes of three replicas that hear each other after a delay. Each has
// callers that are always busy, but for the idle. The vendor's free check fails,
// so that nothing but probes finds out that the vendor is back.
type hearers struct {
	lanes    []*Lane
	adapters []*fakeAdapter
	// late is how long a word takes to the others.
	late time.Duration
	mu   sync.Mutex
	told []BreakerNews
}

func newHearers(answer func(replica, nth int) error, change func(*LaneConfig)) *hearers {
	g := &hearers{late: 20 * time.Millisecond}
	for r := range 3 {
		a := &fakeAdapter{delay: 50 * time.Millisecond, answer: func(nth int) error { return answer(r, nth) }}
		a.check = func() error { return fault(Transient) }
		c := config()
		if change != nil {
			change(&c)
		}
		l := NewLane(a, c)
		var shards []int
		for s := r; s < 12; s += 3 {
			shards = append(shards, s)
		}
		l.SetShards(shards, 12)
		l.SetProbeTurns(shards, 12)
		l.OnBreaker(func(n BreakerNews) { g.tell(r, n) })
		g.lanes, g.adapters = append(g.lanes, l), append(g.adapters, a)
	}
	return g
}

func (g *hearers) tell(from int, n BreakerNews) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.told = append(g.told, n)
	at := time.Now()
	time.AfterFunc(g.late, func() {
		for r, l := range g.lanes {
			if r != from {
				l.HearBreaker(fmt.Sprint(from), at, n)
			}
		}
	})
}

// run keeps the lanes busy, but for the idle ones.
func (g *hearers) run(d time.Duration, idle ...int) {
	var wg sync.WaitGroup
	for r, l := range g.lanes {
		quiet := false
		for _, i := range idle {
			quiet = quiet || i == r
		}
		if !quiet {
			wg.Go(func() { drive(l, 20, d) })
		}
	}
	wg.Wait()
	time.Sleep(time.Second) // fake time, for the last words
}

// calls returns how many were made from a time on until another.
func (g *hearers) calls(from, to time.Time, replicas ...int) (n int) {
	for _, r := range replicas {
		for _, at := range g.adapters[r].made() {
			if !at.Before(from) && at.Before(to) {
				n++
			}
		}
	}
	return n
}

func TestGroupProbesOnePerOpenPeriod(t *testing.T) {
	for _, probes := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			g := newHearers(func(int, int) error {
				if time.Since(start) < 2*time.Minute {
					return fault(Transient)
				}
				return nil
			}, func(c *LaneConfig) { c.Breaker.Probes = probes })
			g.run(2*time.Minute - time.Second)
			shut := start.Add(10 * time.Second)
			// Probes begin 15 s after the opening, or up to a turn or two later.
			if n := g.calls(shut, start.Add(2*time.Minute), 0, 1, 2); n > 7*probes || n < 6 {
				t.Errorf("%d probes in 110 s of an outage", n)
			}
			g.run(30 * time.Second)
			for r, l := range g.lanes {
				if l.BreakerState() != BreakerClosed {
					t.Errorf("breaker of %d is %v after the recovery", r, l.BreakerState())
				}
			}
		})
	}
}

// A probe that hangs is not joined by others before a period has passed.
func TestGroupWaitsForAProbeThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		g := newHearers(func(int, int) error { return fault(Transient) }, nil)
		for _, a := range g.adapters {
			a.delay = 14 * time.Second
		}
		g.run(100 * time.Second)
		var all []time.Time
		for _, a := range g.adapters {
			for _, at := range a.made() {
				// Three lanes trip on what they call in the first 14 s.
				if at.After(start.Add(20 * time.Second)) {
					all = append(all, at)
				}
			}
		}
		slices.SortFunc(all, time.Time.Compare)
		for i := 1; i < len(all); i++ {
			if gap := all[i].Sub(all[i-1]); gap < 15*time.Second {
				t.Errorf("a probe %v after the one before", gap)
			}
		}
		if len(all) < 2 {
			t.Errorf("%d probes", len(all))
		}
	})
}

// A replica without work must not keep its turn from the others.
func TestIdleReplicasAreNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		g := newHearers(func(int, int) error {
			if time.Since(start) < 10*time.Second {
				return fault(Transient)
			}
			return nil
		}, nil)
		g.run(40*time.Second, 0, 1)
		if n := g.calls(start.Add(20*time.Second), start.Add(40*time.Second), 2); n < 15*20 {
			t.Errorf("%d calls in 20 s", n)
		}
	})
}

// One replica that cannot reach the vendor stops the others for as long as they
// need to find out, and not again and again.
func TestAReplicaThatAloneIsCutOffDoesNotStopTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newHearers(func(replica, _ int) error {
			if replica == 0 {
				return fault(Transient)
			}
			return nil
		}, nil)
		start := time.Now()
		g.run(10 * time.Minute)
		made := g.calls(start, start.Add(10*time.Minute), 1, 2)
		t.Logf("%d of the %d calls that the others may make in ten minutes", made, 49*600*2/3)
		if made < 49*600*2/3*75/100 {
			t.Errorf("%d calls by the others in ten minutes", made)
		}
	})
}

func TestAWordHoldsNoLaneForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newHearers(func(int, int) error { return nil }, nil)
		g.lanes[1].HearBreaker("0", time.Now(), BreakerNews{State: BreakerOpen, Until: time.Now().Add(1000 * time.Hour)})
		if s := g.lanes[1].BreakerState(); s != BreakerOpen {
			t.Errorf("breaker is %v", s)
		}
		start := time.Now()
		time.AfterFunc(14900*time.Millisecond, func() {
			if s := g.lanes[1].BreakerState(); s != BreakerOpen {
				t.Errorf("breaker is %v shortly before probing may begin", s)
			}
		})
		g.run(20*time.Second, 0, 2)
		if n := g.calls(start, start.Add(15*time.Second), 1); n != 0 {
			t.Errorf("%d calls while the vendor was said to be out", n)
		}
		if n := g.calls(start.Add(15*time.Second), start.Add(20*time.Second), 1); n == 0 {
			t.Error("no calls afterwards")
		}
	})
}

func TestOldWordsAreNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newHearers(func(int, int) error { return nil }, nil)
		l := g.lanes[1]
		old := time.Now()
		time.Sleep(time.Minute) // fake time
		l.HearBreaker("0", old, BreakerNews{State: BreakerOpen, Until: old.Add(15 * time.Second)})
		if s := l.BreakerState(); s != BreakerClosed {
			t.Errorf("breaker is %v by the word of an outage that has passed", s)
		}
		l.HearBreaker("0", time.Now(), BreakerNews{State: BreakerOpen, Until: time.Now().Add(15 * time.Second)})
		l.HearBreaker("2", old, BreakerNews{State: BreakerClosed})
		if s := l.BreakerState(); s != BreakerOpen {
			t.Errorf("breaker is %v by the word of an earlier recovery", s)
		}
	})
}

// A permit that is waiting for its slot is not used once the group knows better.
func TestPermitsInHandAreNotBurnt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newHearers(func(int, int) error { return nil }, nil)
		time.Sleep(time.Second) // fake time, for the handover
		p, err := g.lanes[1].ReserveFor(t.Context(), 0, 500*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		g.lanes[1].HearBreaker("0", time.Now(), BreakerNews{State: BreakerOpen, Until: time.Now().Add(15 * time.Second)})
		if _, err := g.lanes[1].Call(context.Background(), p, Call{}, may); err != ErrMissed {
			t.Errorf("call ended with %v", err)
		}
		if n := len(g.adapters[1].made()); n != 0 {
			t.Errorf("%d calls were made", n)
		}
	})
}

// TestTurnsAreNeverShared: whatever the owners, two of them never begin within
// half a turn of each other's, and each turn comes by.
func TestTurnsAreNeverShared(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		total := rapid.IntRange(1, 64).Draw(rt, "total")
		open := time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Minute)).Draw(rt, "open"))
		owners := make([][]int, 3)
		for s := range total {
			o := rapid.IntRange(0, 2).Draw(rt, "owner")
			owners[o] = append(owners[o], s)
		}
		from := time.Unix(0, rapid.Int64Range(0, 1<<60).Draw(rt, "from"))
		now := from.Add(time.Duration(rapid.Int64Range(0, int64(open)).Draw(rt, "past")))
		length := min(turnLength, open/time.Duration(total))
		seen := map[int64]int{}
		for o, shards := range owners {
			if len(shards) == 0 {
				continue
			}
			at := newTurns(shards, total).next(from, now, open)
			turn, into := int64(at.Sub(from)/length), at.Sub(from)%length
			if at.Before(now) || into >= length/2 || at.Sub(now) > length*time.Duration(total+1) {
				rt.Fatalf("owner %d probes %v after now, %v into its turn", o, at.Sub(now), into)
			}
			if other, taken := seen[turn]; taken {
				rt.Fatalf("owners %d and %d share a turn", o, other)
			}
			seen[turn] = o
		}
	})
}

func TestEveryReplicaIsTheFirstNowAndThen(t *testing.T) {
	firsts := map[int]int{}
	for i := range 300 {
		from := time.Unix(int64(i)*17, int64(i)*37e6)
		for r := range 3 {
			if newTurns([]int{r}, 3).next(from, from, 15*time.Second).Equal(from) {
				firsts[r]++
			}
		}
	}
	for r := range 3 {
		if firsts[r] < 60 {
			t.Errorf("replica %d was the first in %d of 300 periods", r, firsts[r])
		}
	}
}

// No other replica's word holds the lane for longer than the breaker's open period,
// also if the clock is set back meanwhile: it is kept by the monotonic clock.
func TestHeardTimesAreKeptByTheMonotonicClock(t *testing.T) {
	l := NewLane(&fakeAdapter{}, config())
	l.HearBreaker("another", time.Now(), BreakerNews{State: BreakerOpen, Until: time.Now().Add(5 * time.Second).Round(0)})
	if until := l.breaker.until; !strings.Contains(until.String(), " m=") || time.Until(until) <= 0 {
		t.Errorf("the breaker is open until %v", until)
	}
}
