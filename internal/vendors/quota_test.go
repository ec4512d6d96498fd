package vendors

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// group is a group of replicas with backlog on every shard, on a clock of the
// test's own. It goes in ticks; permits are taken a lead ahead of their slots.
type group struct {
	rand     *rand.Rand
	limits   limits
	total    int
	replicas []*replica
	owner    []int // by shard
	// claims are the ledgers, by shard; made are the calls on the vendor's clock.
	claims map[int][]claimed
	made   []time.Time
	served map[int]int // calls, by shard
	now    time.Time
	// wasteful replicas give some permits back; restless ones take them now
	// earlier, now later, and so pass over slots; the calls of slow ones leave
	// now and then as late as slow.
	wasteful, restless bool
	slow               time.Duration
	later              []happening
}

type claimed struct {
	at time.Time // on the clock of whoever claimed
	by *replica
}

// replica is what one replica knows; its clock is skew ahead.
type replica struct {
	quota   quota
	skew    time.Duration
	late    time.Duration // most that its calls leave after their slots
	delay   time.Duration // how late they are at present
	owned   []int
	permits []permit
	turn    int
}

type permit struct {
	slot    slot
	charged *counts
	shard   int
	wasted  bool // it is given back at the next tick
}

// happening is something that happens later.
type happening struct {
	at time.Time
	do func()
}

const (
	tick    = 20 * time.Millisecond
	minWait = 30 * time.Millisecond
)

func newGroup(seed int64, l limits, replicas, total int) *group {
	g := &group{
		rand: rand.New(rand.NewPCG(uint64(seed), 0)), limits: l, total: total, owner: make([]int, total),
		claims: map[int][]claimed{}, served: map[int]int{}, now: noon,
	}
	// Half of what the headroom pays for goes into clocks, half into Lateness.
	worth := time.Duration(l.headroom * float64(l.over))
	for range replicas {
		g.replicas = append(g.replicas, &replica{
			quota: newQuota(l, nil), late: worth / 2, skew: worth / 4 * time.Duration(g.rand.IntN(3)-1),
		})
	}
	for s := range g.owner {
		g.owner[s] = -1
	}
	return g
}

func (g *group) local(r *replica) time.Time { return g.now.Add(r.skew) }

func (g *group) after(d time.Duration, do func()) {
	g.later = append(g.later, happening{g.now.Add(d), do})
}

// rebalance gives every shard a random owner. Replicas learn of it up to 200 ms
// apart, those that lose a shard as late as those that gain it.
func (g *group) rebalance() {
	plan := make([][]int, len(g.replicas))
	for s := range g.owner {
		g.owner[s] = g.rand.IntN(len(g.replicas))
		plan[g.owner[s]] = append(plan[g.owner[s]], s)
	}
	for i, r := range g.replicas {
		g.after(time.Duration(g.rand.IntN(200))*time.Millisecond, func() { g.assign(r, plan[i]) })
	}
}

// assign gives a replica its shards and lets it restore those that it gained.
func (g *group) assign(r *replica, owned []int) {
	former := r.owned
	r.owned = owned
	r.quota.setShards(owned, g.total, g.local(r))
	for _, s := range owned {
		if slices.Contains(former, s) {
			continue
		}
		for _, c := range g.claims[s] {
			r.quota.restore(s, c.at, g.local(r))
		}
		g.after(time.Duration(g.rand.IntN(100))*time.Millisecond, func() {
			if c := r.quota.shards[s]; c != nil {
				c.restored = true
			}
		})
	}
}

// restart makes a replica forget all that it had in memory. It is assigned the
// same shards again.
func (g *group) restart(r *replica) {
	r.quota, r.permits = newQuota(g.limits, nil), nil
	owned := r.owned
	r.owned = nil
	g.assign(r, owned)
}

// run lets the group work for d.
func (g *group) run(d time.Duration) {
	for end := g.now.Add(d); g.now.Before(end); g.now = g.now.Add(tick) {
		due := g.later
		g.later = nil
		for _, e := range due {
			if e.at.After(g.now) {
				g.later = append(g.later, e)
			} else {
				e.do()
			}
		}
		for _, r := range g.replicas {
			if g.rand.IntN(20) == 0 {
				r.delay = r.late * time.Duration(g.rand.IntN(2))
			}
			g.call(r)
			g.reserve(r)
		}
	}
}

// reserve takes the permits of the coming tick, for whichever shard's turn it is.
func (g *group) reserve(r *replica) {
	now := g.local(r)
	lead := minWait
	if g.restless {
		lead += time.Duration(g.rand.IntN(3)) * 50 * time.Millisecond
	}
	for len(r.owned) > 0 {
		s, _, ok := r.quota.next(now.Add(lead))
		if !ok || s.begin.Sub(now) > lead+tick {
			return
		}
		shard, ok := r.choose(s.begin)
		if !ok {
			return
		}
		p := permit{s, r.quota.take(s, shard, now), shard, g.wasteful && g.rand.IntN(5) == 0}
		// Whoever restores the shard already reads the claim late.
		c := claimed{s.begin, r}
		g.claims[shard] = append(g.claims[shard], c)
		g.after(tick, func() {
			if o := g.replicas[g.owner[shard]]; o != r {
				o.quota.restore(shard, c.at, g.local(o))
			}
		})
		r.permits = append(r.permits, p)
	}
}

// choose returns the next shard in turn that has room.
func (r *replica) choose(at time.Time) (shard int, ok bool) {
	for i := range r.owned {
		shard = r.owned[(r.turn+i)%len(r.owned)]
		if calls, _ := r.quota.room(shard, at); calls > 0 {
			r.turn += i + 1
			return shard, true
		}
	}
	return 0, false
}

// call makes the calls whose slots have come.
func (g *group) call(r *replica) {
	kept := r.permits[:0]
	for _, p := range r.permits {
		switch {
		case p.wasted:
			r.quota.giveBack(p.slot, p.charged, g.local(r))
		case p.slot.begin.After(g.local(r)):
			kept = append(kept, p)
		case slices.Contains(r.owned, p.shard) && r.quota.table.owns(p.slot) && r.quota.shards[p.shard] == p.charged:
			g.leave(r, p)
			g.served[p.shard]++
		default:
			r.quota.giveBack(p.slot, p.charged, g.local(r))
		}
	}
	r.permits = kept
}

// leave makes the call of a permit.
func (g *group) leave(r *replica, p permit) {
	delay := r.delay
	if g.slow > 0 && g.rand.IntN(10) == 0 {
		delay = time.Duration(g.rand.Int64N(int64(g.slow)))
		g.after(delay, func() { r.quota.sent(p.slot, p.charged, p.slot.begin.Add(delay)) })
	}
	g.made = append(g.made, p.slot.begin.Add(delay-r.skew))
}

// exceeded returns the first window of which a sliding span on the vendor's clock
// holds too many calls.
func (g *group) exceeded(windows []Window) (w Window, n int, within time.Duration) {
	slices.SortFunc(g.made, time.Time.Compare)
	for _, w := range windows {
		for i := w.Count; i < len(g.made); i++ {
			if d := g.made[i].Sub(g.made[i-w.Count]); d <= w.Per {
				return w, w.Count + 1, d
			}
		}
	}
	return Window{}, 0, 0
}

// drawWindows draws limits of which the longer allow less than the shorter, and
// some that say nothing.
func drawWindows(t *rapid.T) []Window {
	ms := time.Millisecond
	first := Window{rapid.IntRange(3, 60).Draw(t, "count"), rapid.SampledFrom([]time.Duration{200 * ms, time.Second, time.Second, 3 * time.Second}).Draw(t, "per")}
	windows := []Window{first}
	per, most := first.Per, float64(first.Count)
	for range rapid.IntRange(0, 3).Draw(t, "longer") {
		times := rapid.Float64Range(2, 6).Draw(t, "times")
		per = time.Duration(float64(max(per, time.Second)) * times)
		most = rapid.Float64Range(.2, 1.1).Draw(t, "share") * most * times
		if per > time.Minute {
			break
		}
		windows = append(windows, Window{max(1, int(most)), per})
	}
	return windows
}

// The vendor never sees more than a limit allows, whatever the limits, whoever
// owns what, whose clock is ahead and who restarts; and no shard starves.
func TestNoSlidingWindowIsExceededAndNoShardStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		windows := drawWindows(t)
		l := newLimits(0, windows, rapid.SampledFrom([]float64{.02, .1}).Draw(t, "headroom"))
		total := rapid.IntRange(1, 16).Draw(t, "shards")
		g := newGroup(rapid.Int64().Draw(t, "seed"), l, rapid.IntRange(1, 4).Draw(t, "replicas"), total)
		g.wasteful, g.restless = rapid.Bool().Draw(t, "wasteful"), rapid.Bool().Draw(t, "restless")
		// Whoever is late needs a slot of its own soon after to make up for it, and
		// must not forget: claims don't tell.
		if l.over >= time.Second && len(g.replicas) == 1 && l.perSecond >= 10 && rapid.Bool().Draw(t, "slow") {
			g.slow = l.over / 2
		}
		g.rebalance()
		for range rapid.IntRange(0, 5).Draw(t, "changes") {
			g.run(time.Duration(rapid.IntRange(300, 20_000).Draw(t, "ms")) * time.Millisecond)
			if rapid.Bool().Draw(t, "restart") && g.slow == 0 {
				g.restart(g.replicas[rapid.IntRange(0, len(g.replicas)-1).Draw(t, "replica")])
			} else {
				g.rebalance()
			}
		}
		last := windows[len(windows)-1]
		clear(g.served)
		g.wasteful, g.restless, g.slow = false, false, 0
		calm := 2*last.Per + 2*time.Second
		for _, w := range windows {
			calm = max(calm, 2*time.Duration(float64(total)/w.perSecond()*float64(time.Second)))
		}
		g.run(calm)
		if w, n, within := g.exceeded(windows); n > 0 {
			t.Fatalf("%v: %d calls within %v, the limit is %d", windows, n, within, w.Count)
		}
		for s := range total {
			if g.served[s] == 0 {
				t.Fatalf("%v: shard %d of %d was not served in %v; calls %v", windows, s, total, calm, g.served)
			}
		}
	})
}

// With backlog on all shards, nearly all that the limits allow is called.
func TestLimitsAreUsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pace := rapid.IntRange(50, 120).Draw(t, "pace")
		// So long that a call's wait for its slot is little.
		per := rapid.IntRange(30, 40).Draw(t, "per")
		// So many that a call lost to rounding is little.
		share := rapid.Float64Range(.3, .7).Draw(t, "share")
		windows := []Window{{pace, time.Second}, {max(500, int(float64(pace*per)*share)), time.Duration(per) * time.Second}}
		g := newGroup(rapid.Int64().Draw(t, "seed"), newLimits(0, windows, .02), rapid.IntRange(1, 3).Draw(t, "replicas"), rapid.IntRange(1, 12).Draw(t, "shards"))
		g.wasteful = rapid.Bool().Draw(t, "wasteful")
		g.rebalance()
		g.run(3*windows[1].Per + time.Second)
		rate := min(windows[0].perSecond(), windows[1].perSecond())
		// So many calls as two windows have: bursts and pauses are in it alike.
		n := 2 * g.replicas[0].quota.plan.units[0]
		if len(g.made) < n+1 {
			t.Fatalf("%v: %d calls in three windows", windows, len(g.made))
		}
		slices.SortFunc(g.made, time.Time.Compare)
		took := g.made[len(g.made)-1].Sub(g.made[len(g.made)-1-n])
		least := .97
		if g.wasteful {
			least = .9 // slots are lost, too
		}
		if used := float64(n) / (rate * took.Seconds()); used < least {
			t.Fatalf("%v: %d calls took %v, %.1f %% of the limit", windows, n, took, 100*used)
		}
	})
}

func TestSharesAddUpAndNoneIsEmpty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLimits(0, drawWindows(t), .02)
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
			if most := float64(w.Count) * .98; float64(sum) > most+1e-6 || float64(sum) < most-1 {
				t.Fatalf("%v: the shares add up to %d", w, sum)
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
			l := newLimits(0, c.windows, .02)
			if l.perSecond != c.perSecond || len(l.longer) != c.longer {
				t.Errorf("%v calls a second, and counted %v", l.perSecond, l.longer)
			}
		})
	}
}

// A window that has not a call for each shard is spread evenly.
func TestFewCallsForManyShardsAreSpreadEvenly(t *testing.T) {
	l := newLimits(0, []Window{{10, time.Second}, {5, 10 * time.Second}}, .02)
	few := l.plan(4)
	if few.perSecond != 5*.98 || few.units[0] != 4 {
		t.Errorf("for 4 shards %v calls a second, %v to share", few.perSecond, few.units)
	}
	many := l.plan(5)
	if many.perSecond != .5*.98 || many.units[0] != kept {
		t.Errorf("for 5 shards %v calls a second, %v to share", many.perSecond, many.units)
	}
}

// takeAt takes the first slot from the time on, half a second ahead.
func (q *quota) takeAt(t *testing.T, shard int, at time.Time) (slot, *counts) {
	t.Helper()
	s, _, ok := q.next(at)
	if !ok {
		t.Fatal("no slot")
	}
	if calls, _ := q.room(shard, s.begin); calls == 0 {
		t.Fatalf("shard %d has no room at %v", shard, s.begin.Sub(noon))
	}
	return s, q.take(s, shard, at.Add(-500*time.Millisecond))
}

// setup returns the quota of the owner of all shards, restored.
func setup(total int, windows ...Window) *quota {
	q := newQuota(newLimits(0, windows, 0), nil)
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
	q := newQuota(newLimits(0, []Window{{1, time.Second}, {1, 10 * time.Second}}, 0), nil)
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
