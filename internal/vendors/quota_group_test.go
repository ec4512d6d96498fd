package vendors

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// group is a group of replicas with requests for every shard, on a clock of the
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
	// bursty replicas have no backlog, but some requests now and then.
	bursty bool
	// ordered is what the pace was last ordered to be.
	ordered float64
	later   []happening
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
	waiting int // requests, if it is bursty
}

type permit struct {
	slot    slot
	at      time.Time // when the call is made
	charged *counts
	shard   int
	wasted  bool // it is given back at the next tick
}

// happening is something that happens later.
type happening struct {
	at time.Time
	do func()
}

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

// rebalance gives every shard a random owner, once all slots have begun that calls
// went far ahead of. Replicas learn of it up to 200 ms apart, those that lose a shard
// as late as those that gain it.
func (g *group) rebalance() {
	takes := time.Duration(0)
	for _, r := range g.replicas {
		takes = max(takes, r.quota.keep(time.Time{}, g.local(r)))
	}
	g.run(takes)
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
	r.quota.keep(g.now.Add(time.Hour), g.local(r))
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
// same shards again, when the group has waited for it in vain.
func (g *group) restart(r *replica) {
	r.quota, r.permits = newQuota(g.limits, nil), nil
	r.quota.order(g.ordered, g.local(r))
	owned := r.owned
	r.owned = nil
	g.run(farthest)
	g.assign(r, owned)
}

// order lowers the pace. Replicas hear of it within a second.
func (g *group) order(perSecond float64) {
	g.ordered = perSecond
	for _, r := range g.replicas {
		g.after(time.Duration(g.rand.Int64N(int64(time.Second))), func() { r.quota.order(g.ordered, g.local(r)) })
	}
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
	if g.bursty {
		lead = tick / 2 // calls may go before their slots
	}
	if g.restless {
		lead += time.Duration(g.rand.IntN(3)) * 50 * time.Millisecond
	}
	if g.rand.IntN(50) == 0 {
		r.waiting += g.rand.IntN(30)
	}
	for len(r.owned) > 0 && (r.waiting > 0 || !g.bursty) {
		s, _, ok := r.quota.next(now, lead)
		ahead := s.begin.Sub(now)
		s.sooner = s.sooner && ahead <= r.quota.reach(s)
		if !ok || ahead > lead+tick && !s.sooner {
			return
		}
		shard, ok := r.choose(s.begin)
		if !ok {
			return
		}
		r.waiting--
		at := s.begin
		if s.sooner {
			at = now.Add(time.Duration(g.rand.Int64N(int64(at.Sub(now)))))
		}
		p := permit{s, at, r.quota.take(s, shard, now), shard, g.wasteful && g.rand.IntN(5) == 0}
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
		case p.at.After(g.local(r)):
			kept = append(kept, p)
		case slices.Contains(r.owned, p.shard) && r.quota.holds(p.slot) && r.quota.shards[p.shard] == p.charged:
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
		g.after(delay, func() { r.quota.sent(p.slot.begin, p.charged, p.at.Add(delay)) })
	}
	g.made = append(g.made, p.at.Add(delay-r.skew))
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
// owns what, whose clock is ahead, who restarts and what pace is ordered; and no shard
// starves.
func TestNoSlidingWindowIsExceededAndNoShardStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		windows := drawWindows(t)
		l := newLimits(windows, rapid.SampledFrom([]float64{.02, .1}).Draw(t, "headroom"))
		total := rapid.IntRange(1, 16).Draw(t, "shards")
		g := newGroup(rapid.Int64().Draw(t, "seed"), l, rapid.IntRange(1, 4).Draw(t, "replicas"), total)
		g.wasteful, g.restless, g.bursty = rapid.Bool().Draw(t, "wasteful"), rapid.Bool().Draw(t, "restless"), rapid.Bool().Draw(t, "bursty")
		// Whoever is late needs a slot of its own soon after to make up for it, and
		// must not forget: claims don't tell.
		if l.over >= time.Second && len(g.replicas) == 1 && l.perSecond >= 10 && rapid.Bool().Draw(t, "slow") {
			g.slow = l.over / 2
		}
		g.rebalance()
		for range rapid.IntRange(0, 5).Draw(t, "changes") {
			g.run(time.Duration(rapid.IntRange(300, 20_000).Draw(t, "ms")) * time.Millisecond)
			switch what := rapid.IntRange(0, 2).Draw(t, "what"); {
			case what == 1 && g.slow == 0:
				g.restart(g.replicas[rapid.IntRange(0, len(g.replicas)-1).Draw(t, "replica")])
			case what == 2:
				g.order(l.perSecond * rapid.Float64Range(.2, 1.2).Draw(t, "ordered"))
			default:
				g.rebalance()
			}
		}
		g.order(0)
		g.run(time.Second + paceChange)
		last := windows[len(windows)-1]
		clear(g.served)
		g.wasteful, g.restless, g.bursty, g.slow = false, false, false, 0
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
		few := rapid.IntRange(12, 40).Draw(t, "few")
		many := int(float64(pace*per) * rapid.Float64Range(.3, .7).Draw(t, "share"))
		windows := []Window{{pace, time.Second}, {rapid.SampledFrom([]int{few, many}).Draw(t, "count"), time.Duration(per) * time.Second}}
		g := newGroup(rapid.Int64().Draw(t, "seed"), newLimits(windows, .02), rapid.IntRange(1, 3).Draw(t, "replicas"), rapid.IntRange(1, 12).Draw(t, "shards"))
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
		if windows[1].Count == few {
			least = .945 // each waits for a bucket to leave the window, and for a slot
		}
		if g.wasteful {
			least = .88 // slots and room are lost, too
		}
		if used := float64(n) / (rate * took.Seconds()); used < least {
			t.Fatalf("%v: %d calls took %v, %.1f %% of the limit", windows, n, took, 100*used)
		}
	})
}
