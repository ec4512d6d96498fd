package vendors

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// market is replicas that lend each other slots, on clocks that differ, through a
// pool that loses, delays and forgets, while their shards move. All chances are
// taken from one seed.
type market struct {
	t      *rapid.T
	chance *rand.Rand
	now    time.Time
	lead   time.Duration
	pool   map[Timetable][]int64
	all    []*trader
	used   map[slot]bool
	calls  []time.Time // of the slots used
	later  []delayed
	// borrowed and lent tell that the test tests something.
	borrowed, lent, sooner int
}

type trader struct {
	quota
	skew    time.Duration
	permits []slot
	busy    bool
}

type delayed struct {
	at time.Time
	do func()
}

// after has something done later: at once, soon, or only when it is too late.
func (g *market) after(most time.Duration, do func()) {
	g.later = append(g.later, delayed{g.now.Add(time.Duration(g.chance.Int64N(int64(most)))), do})
}

func (g *market) likely(share float64) bool { return g.chance.Float64() < share }

func (g *market) step() {
	due := g.later
	g.later = nil
	for _, d := range due {
		if d.at.After(g.now) {
			g.later = append(g.later, d)
			continue
		}
		d.do()
	}
	for _, m := range g.all {
		g.work(m)
		if g.likely(.1) {
			g.trade(m)
		}
		if g.likely(.01) {
			m.busy = !m.busy
		}
	}
	g.now = g.now.Add(10 * time.Millisecond)
}

// work makes the calls that are due and takes the slots that come next.
func (g *market) work(m *trader) {
	now := g.now.Add(m.skew)
	waiting := m.permits[:0]
	for _, s := range m.permits {
		switch {
		case s.begin.After(now) && !s.sooner:
			waiting = append(waiting, s)
		case m.holds(s):
			of := s
			of.borrowed, of.sooner = false, false
			if g.used[of] {
				g.t.Fatalf("slot %d is used twice", s.number)
			}
			g.used[of] = true
			if s.sooner {
				g.sooner++
				s.begin = now
			}
			g.calls = append(g.calls, s.begin)
		}
	}
	m.permits = waiting
	for m.busy {
		s, _, ok := m.next(now, g.lead)
		if !ok || s.begin.After(now.Add(g.lead+early)) && !s.sooner || s.begin.After(now.Add(soonest)) && s.sooner {
			return
		}
		m.take(s, anyShard, now)
		if g.likely(.05) {
			m.giveBack(s, nil, now)
			return
		}
		m.permits = append(m.permits, s)
	}
}

// trade lends and borrows. What is lent arrives, late, or never; what is taken
// comes back, late, or never.
func (g *market) trade(m *trader) {
	now := g.now.Add(m.skew)
	keep := 0.0
	if m.busy {
		keep = 1e6
	}
	of, lent := m.lend(now, keep, 20)
	g.lent += len(lent)
	first, last, _, ok := m.span(now, g.lead, 20)
	delay := 20 * time.Millisecond
	if g.likely(.1) {
		delay = 1500 * time.Millisecond
	}
	if g.likely(.05) {
		return
	}
	wants, lost := m.busy && ok, g.likely(.05)
	g.after(delay, func() {
		if g.likely(.02) {
			clear(g.pool)
		}
		g.pool[of] = append(g.pool[of], lent...)
		slices.Sort(g.pool[of])
		var taken, left []int64
		for _, n := range g.pool[of] {
			switch {
			case wants && n >= first && n <= last && len(taken) < 20:
				taken = append(taken, n)
			case n > first-100:
				left = append(left, n)
			}
		}
		g.pool[of] = left
		if !lost {
			g.after(delay, func() { g.borrowed += m.borrow(g.now.Add(m.skew), of, taken) })
		}
	})
}

// move gives the shards to other members, which hear of it one after the other.
func (g *market) move(total int) {
	owned := make([][]int, len(g.all))
	for s := range total {
		i := g.chance.IntN(len(g.all))
		owned[i] = append(owned[i], s)
	}
	for i, m := range g.all {
		g.after(60*time.Millisecond, func() { m.setShards(owned[i], total, g.now.Add(m.skew)) })
	}
	for range 8 { // all have heard of it before the next
		g.step()
	}
}

// No slot is used twice, and so no second holds more calls than the limit,
// whatever becomes of messages, pool, shards and clocks.
func TestLentSlotsAreUsedOnce(t *testing.T) {
	borrowed, lent, sooner := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		const limit = 50
		g := &market{
			t: t, chance: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), now: noon,
			lead: rapid.SampledFrom([]time.Duration{0, 15 * time.Millisecond, 300 * time.Millisecond}).Draw(t, "lead"),
			pool: map[Timetable][]int64{}, used: map[slot]bool{},
		}
		var schedule Schedule
		if slow := rapid.SampledFrom([]float64{50, 20, 0}).Draw(t, "slow"); slow < limit {
			schedule = Schedule{{From: 12*time.Hour + 2*time.Second, To: 12*time.Hour + 4*time.Second, Location: time.UTC, PerSecond: slow}}
		}
		for range rapid.IntRange(2, 4).Draw(t, "replicas") {
			m := &trader{quota: newQuota(newLimits([]Window{{limit, time.Second}}, .02), schedule), skew: time.Duration(g.chance.Int64N(int64(20 * time.Millisecond)))}
			m.table.wait = lendReach
			g.all = append(g.all, m)
		}
		total := rapid.IntRange(1, 12).Draw(t, "shards")
		moves := rapid.Float64Range(0, .02).Draw(t, "moves")
		g.move(total)
		for range 600 {
			if g.likely(moves) {
				if g.likely(.2) {
					total = 1 + g.chance.IntN(12)
				}
				g.move(total)
			}
			g.step()
		}
		slices.SortFunc(g.calls, time.Time.Compare)
		for i := limit; i < len(g.calls); i++ {
			if d := g.calls[i].Sub(g.calls[i-limit]); d <= time.Second {
				t.Fatalf("%d calls within %v", limit+1, d)
			}
		}
		borrowed += g.borrowed
		lent += g.lent
		sooner += g.sooner
	})
	if borrowed < 100 || lent < 100 || sooner < 100 {
		t.Errorf("%d slots lent, %d borrowed and %d used sooner in all", lent, borrowed, sooner)
	}
	t.Logf("%d slots lent, %d borrowed, %d used sooner", lent, borrowed, sooner)
}
