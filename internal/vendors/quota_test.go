package vendors

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	tick    = 20 * time.Millisecond
	minWait = 30 * time.Millisecond
)

func TestSharesAddUpAndNoneIsEmpty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLimits(drawWindows(t), .02)
		p := l.plan(rapid.IntRange(1, 64).Draw(t, "shards"))
		for i, w := range l.longer {
			if p.units[i] == kept {
				if p.perSecond > w.perSecond() {
					t.Fatalf("%v is neither shared nor kept by %v calls a second", w, p.perSecond)
				}
				continue
			}
			sum := 0
			for s := range p.total {
				if p.share(i, s) < 1 {
					t.Fatalf("%v: shard %d of %d has no share", w, s, p.total)
				}
				sum += p.share(i, s)
			}
			counted := l.counted[i]
			if sum != counted.Count || sum > w.Count || counted.Per < w.Per {
				t.Fatalf("%v, counted as %v: the shares add up to %d", w, counted, sum)
			}
			if share := counted.perSecond() / w.perSecond(); share < .98-1e-6 || share > .98+1e-6 {
				t.Fatalf("%v, counted as %v, leaves %v of the limit", w, counted, share)
			}
		}
	})
}

func TestLimitsThatThePaceKeepsAreNotCounted(t *testing.T) {
	s, m, d := time.Second, time.Minute, 24*time.Hour
	for _, c := range []struct {
		name      string
		windows   []Window
		perSecond float64
		longer    int
	}{
		{"none", nil, 0, 0},
		{"one", []Window{{50, s}}, 50, 0},
		{"all at once", []Window{{200000, d}, {50, s}, {300, m}, {5, 10 * s}}, 5, 2},
		{"said twice", []Window{{50, s}, {3000, m}}, 50, 0},
		{"two short ones", []Window{{50, s}, {2, 100 * time.Millisecond}}, 20, 0},
		{"none a second", []Window{{200000, d}, {300, m}}, 5, 1},
		{"fewer in a minute than in a second", []Window{{50, s}, {20, m}}, 20, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLimits(c.windows, .02)
			if l.perSecond != c.perSecond || len(l.longer) != c.longer {
				t.Errorf("%v calls a second, and counted %v", l.perSecond, l.longer)
			}
		})
	}
}

// A window that has not a call for each shard is spread evenly.
func TestFewCallsForManyShardsAreSpreadEvenly(t *testing.T) {
	l := newLimits([]Window{{10, time.Second}, {5, 10 * time.Second}}, .02)
	few := l.plan(5)
	if few.perSecond != 5*.98 || few.units[0] != 5 {
		t.Errorf("for 5 shards %v calls a second, %v to share", few.perSecond, few.units)
	}
	many := l.plan(6)
	if many.perSecond != .5*.98 || many.units[0] != kept {
		t.Errorf("for 6 shards %v calls a second, %v to share", many.perSecond, many.units)
	}
}

// takeAt takes the first slot from the time on, half a second ahead.
func (q *quota) takeAt(t *testing.T, shard int, at time.Time) (slot, *counts) {
	t.Helper()
	const lead = 500 * time.Millisecond
	s, _, ok := q.next(at.Add(-lead), lead)
	if !ok {
		t.Fatal("no slot")
	}
	if calls, _ := q.room(shard, s.begin); calls == 0 {
		t.Fatalf("shard %d has no room at %v", shard, s.begin.Sub(noon))
	}
	return s, q.take(s, shard, at.Add(-lead))
}

// setup returns the quota of the owner of all shards, restored.
func setup(total int, windows ...Window) *quota {
	q := newQuota(newLimits(windows, 0), nil)
	var owned []int
	for s := range total {
		owned = append(owned, s)
	}
	q.setShards(owned, total, noon.Add(-time.Second))
	for _, c := range q.shards {
		c.restored = true
	}
	return &q
}

// A slot that was given back may be taken after later ones, by another shard.
func TestCallInASlotGivenBackCountsWithEarlierAndLaterOnes(t *testing.T) {
	const a, b = 0, 1
	ms := time.Millisecond
	t.Run("earlier", func(t *testing.T) {
		q := setup(10, Window{10, time.Second}, Window{10, 10 * time.Second})
		q.takeAt(t, a, noon)
		before, beforeCounts := q.takeAt(t, b, noon.Add(9900*ms))
		after, afterCounts := q.takeAt(t, a, noon.Add(10100*ms))
		now := noon.Add(9800 * ms)
		q.giveBack(after, afterCounts, now)
		q.giveBack(before, beforeCounts, now)
		if calls, _ := q.room(a, before.begin); calls != 0 {
			t.Errorf("a second call within %v", before.begin.Sub(noon))
		}
	})
	t.Run("later", func(t *testing.T) {
		q := setup(10, Window{10, time.Second}, Window{10, 10 * time.Second})
		before, beforeCounts := q.takeAt(t, b, noon.Add(100*ms))
		q.takeAt(t, a, noon.Add(200*ms))
		q.giveBack(before, beforeCounts, noon)
		if calls, _ := q.room(a, before.begin); calls != 0 {
			t.Error("a call right before another, where one is allowed in 10 s")
		}
		if calls, _ := q.room(b, before.begin); calls != 1 {
			t.Error("a call that was given back still counts")
		}
	})
}

func TestRoomComesBackWhenTheWindowHasPassed(t *testing.T) {
	q := setup(1, Window{3, time.Second}, Window{3, 10 * time.Second})
	first, _ := q.takeAt(t, 0, noon)
	q.takeAt(t, 0, noon.Add(time.Second))
	q.takeAt(t, 0, noon.Add(2*time.Second))
	calls, from := q.room(0, noon.Add(3*time.Second))
	if calls != 0 {
		t.Fatalf("room for %d calls", calls)
	}
	if late := from.Sub(first.begin.Add(10 * time.Second)); late <= 0 || late > 10*time.Second/countBuckets {
		t.Errorf("room %v after the first call has left the window", late)
	}
	if calls, _ := q.room(0, from.Add(-1)); calls != 0 {
		t.Error("room before the time that was said")
	}
	if calls, _ := q.room(0, from); calls != 1 {
		t.Errorf("room for %d calls when it is time", calls)
	}
}

// A claim may lead to a call long after it was written, but not after its shard
// has a new owner.
func TestRestoredCallCountsFromTheTakeoverAtTheLatest(t *testing.T) {
	q := newQuota(newLimits([]Window{{1, time.Second}, {1, 10 * time.Second}}, 0), nil)
	q.setShards([]int{0}, 1, noon)
	q.restore(0, noon.Add(-11*time.Second), noon)
	q.restore(0, noon.Add(time.Hour), noon)
	q.shards[0].restored = true
	_, from := q.room(0, noon.Add(time.Second))
	if d := from.Sub(noon) - handover - 10*time.Second; d <= 0 || d > 10*time.Second/countBuckets {
		t.Errorf("room from %v after the takeover on", from.Sub(noon))
	}
}

// However many calls are counted, the memory that they take is bounded.
func TestMemoryOfACount(t *testing.T) {
	c := newCount(24 * time.Hour)
	for at := noon; at.Before(noon.Add(72 * time.Hour)); at = at.Add(time.Second) {
		c.forget(at)
		c.add(at)
	}
	if n := len(c.buckets); n > countBuckets+2 {
		t.Errorf("%d buckets, said to be at most %d and two", n, countBuckets)
	}
	if n := cap(c.buckets); n > 2*countBuckets {
		t.Errorf("room for %d buckets", n)
	}
	if want := 24 * 60 * 60; c.total < want || c.total > want+2*want/countBuckets {
		t.Errorf("%d calls a day, a second apart", c.total)
	}
}

// Between being found and being taken a slot may go to a call that is late for its own,
// which is then counted there and no more at its own.
func TestSlotOfALateCallIsNotFree(t *testing.T) {
	q := setup(1, Window{50, time.Second}, Window{100, 10 * time.Second})
	own, counted := q.takeAt(t, 0, noon)
	later := noon.Add(5 * time.Second)
	found, _, _ := q.next(later, 0)
	if !q.isFree(found) {
		t.Error("a slot that was found is not free")
	}
	q.move(own.begin, found, counted)
	next, _, ok := q.next(later, 0)
	if q.isFree(found) || !ok || !q.isFree(next) || next == found {
		t.Errorf("free after the first of them was taken: %v and %v", q.isFree(found), q.isFree(next))
	}
	if calls, _ := q.room(0, noon.Add(11*time.Second)); calls != 99 {
		t.Errorf("room for %d calls 11 s on, want all but the one that left late", calls)
	}
	taken := q.take(next, 0, later)
	if q.giveBack(next, taken, later); !q.isFree(next) {
		t.Error("a slot that was given back is not free")
	}
}

// The slots of two paces don't follow each other evenly, and a window of a minute
// holds both.
func TestOrdersAboutASlowPaceExceedNoWindow(t *testing.T) {
	w := Window{10, time.Minute}
	for after := range 12 {
		q := newQuota(newLimits([]Window{w}, .02), nil)
		q.setShards([]int{0}, 1, noon)
		var made []time.Time
		call := func(from, to time.Time) {
			for s, _, _ := q.next(from, 0); s.begin.Before(to); s, _, _ = q.next(from, 0) {
				q.take(s, 0, from)
				made = append(made, s.begin)
			}
		}
		ordered := noon.Add(2*time.Minute + time.Duration(after)*500*time.Millisecond)
		call(noon, ordered)
		q.order(.5*w.perSecond(), ordered)
		call(ordered, ordered.Add(20*time.Second))
		q.order(0, ordered.Add(20*time.Second))
		call(ordered.Add(20*time.Second), ordered.Add(2*time.Minute))
		for i := w.Count; i < len(made); i++ {
			if within := made[i].Sub(made[i-w.Count]); within <= w.Per {
				t.Errorf("%d calls within %v", w.Count+1, within)
			}
		}
	}
}
