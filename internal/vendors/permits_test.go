package vendors

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"reauth/internal/event"
)

// house is some lanes of one group on fake time, whose callers hold permits for longer
// or shorter, up to a second, before they use them or give them back, while whatever may
// happen to a permit does.
type house struct {
	chance *rand.Rand // of who stages what happens; callers have their own
	plan   housePlan
	ctx    context.Context
	lanes  []*Lane
	clocks []*settable
	wg     sync.WaitGroup

	mu   sync.Mutex
	pool map[Timetable][]int64
	made []time.Time
	told []span // by lane: its last back-off
	// tooSoon is how long after a refusal a call left in the back-off.
	tooSoon []time.Duration
}

// housePlan is what is drawn of a house.
type housePlan struct {
	limit, total, lanes int
	lends               bool          // the lanes do
	late                bool          // some calls have to connect
	refuses, faults     bool          // the vendor does, and its lane has some
	slows, orders       bool          // the pace changes by schedule, and by order
	sets                bool          // the clocks are set, all alike
	moves               bool          // the shards do
	lead                time.Duration // most
	seed                uint64
}

type span struct{ from, to time.Time }

func (h *house) among(d time.Duration) time.Duration {
	return time.Duration(h.chance.Int64N(int64(d)))
}

// later does something after a while, unless the house has been left.
func (h *house) later(d time.Duration, do func()) {
	h.wg.Go(func() {
		if sleep(h.ctx, max(1, d), nil) == nil {
			do()
		}
	})
}

func newHouse(ctx context.Context, p housePlan) *house {
	h := &house{chance: rand.New(rand.NewPCG(p.seed, 0)), plan: p, ctx: ctx, pool: map[Timetable][]int64{}, told: make([]span, p.lanes)}
	for i := range p.lanes {
		c := &settable{}
		if p.lanes > 1 { // half of what the headroom pays for
			c.set(5 * time.Millisecond * time.Duration(h.chance.IntN(3)-1))
		}
		cfg := config()
		cfg.Windows, cfg.Lends = perSecond(p.limit), p.lends
		if p.slows {
			slow := float64(p.limit) * h.chance.Float64()
			cfg.Schedule = Schedule{{From: 4 * time.Second, To: 7 * time.Second, Location: time.UTC, PerSecond: float64(int(slow))}}
			if i > 0 {
				cfg.Schedule = h.lanes[0].cfg.Schedule
			}
		}
		l := NewLane(&guest{h: h, lane: i, chance: rand.New(rand.NewPCG(p.seed, uint64(i+1)))}, cfg)
		l.clock = newClock(c.now)
		l.OnThrottle(func(until time.Time) { h.backOff(i, until.Sub(c.now())) })
		h.lanes, h.clocks = append(h.lanes, l), append(h.clocks, c)
	}
	return h
}

// backOff notes that a lane was told to.
func (h *house) backOff(lane int, wait time.Duration) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	told := &h.told[lane]
	if !now.Before(told.to) {
		told.from = now
	}
	told.to = latest(told.to, now.Add(wait))
}

// guest is a vendor's door: it notes when calls leave.
type guest struct {
	h    *house
	lane int

	mu     sync.Mutex
	chance *rand.Rand
}

func (g *guest) Name() event.Vendor          { return event.Argos }
func (g *guest) Capabilities() Capabilities  { return Capabilities{} }
func (g *guest) Check(context.Context) error { return nil }

func (g *guest) once(in int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.chance.IntN(in) == 0
}

func (g *guest) Authenticate(ctx context.Context, _ Call) (Verdict, error) {
	p, permit := g.h.plan, ctx.Value(leaving{}).(*Permit)
	connects := p.late && g.once(30)
	if connects {
		time.Sleep(150 * time.Millisecond)
	}
	if err := permit.hold(ctx); err != nil {
		return Verdict{}, &Error{Vendor: event.Argos, Kind: Transient, Err: err}
	}
	permit.left()
	g.h.left(g.lane, connects)
	if sleep(ctx, 30*time.Millisecond, nil) != nil {
		return Verdict{}, ctx.Err()
	}
	switch {
	case p.refuses && g.once(40):
		return Verdict{}, &Error{Vendor: event.Argos, Kind: Throttled, RetryAfter: 300 * time.Millisecond}
	case p.faults && g.once(500):
		return Verdict{}, fault(LaneFault)
	}
	return Verdict{Outcome: event.Approved}, nil
}

// left notes that a call left; one that had to connect first may have been under way
// when its lane was told to back off.
func (h *house) left(lane int, connected bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.made = append(h.made, now)
	if t := h.told[lane]; !connected && now.After(t.from) && now.Before(t.to) {
		h.tooSoon = append(h.tooSoon, now.Sub(t.from))
	}
}

// call keeps a caller of a lane busy.
func (h *house) call(lane int, chance *rand.Rand) {
	l, c := h.lanes[lane], h.clocks[lane]
	for h.ctx.Err() == nil {
		lead := time.Duration(chance.Int64N(int64(h.plan.lead)))
		p, err := l.ReserveFor(h.ctx, 0, lead)
		if err != nil {
			return
		}
		switch chance.IntN(12) {
		case 0:
			p.Release()
			continue
		case 1: // the claim takes long
			time.Sleep(max(1, p.At.Sub(c.now())+time.Duration(chance.Int64N(int64(2*Lateness)))))
		default:
			time.Sleep(time.Duration(chance.Int64N(int64(lead + 1))))
		}
		_, _ = l.Call(context.Background(), p, Call{}, may)
		if chance.IntN(60) == 0 {
			time.Sleep(time.Duration(chance.Int64N(int64(2 * time.Second))))
		}
	}
}

// rebalance moves the shards as the pipeline does: those who may lose some say how long
// others are to wait, and all hear of it at different times.
func (h *house) rebalance() {
	takes := time.Duration(0)
	for _, l := range h.lanes {
		takes = max(takes, l.Keep(time.Time{}))
	}
	time.Sleep(takes)
	owned := make([][]int, len(h.lanes))
	for s := range h.plan.total {
		i := h.chance.IntN(len(h.lanes))
		owned[i] = append(owned[i], s)
	}
	for i, l := range h.lanes {
		h.later(h.among(200*time.Millisecond), func() {
			l.SetShards(owned[i], h.plan.total)
			l.Keep(h.clocks[i].now().Add(time.Hour))
		})
	}
	time.Sleep(200 * time.Millisecond)
}

// trade has a lane lend and borrow, through a pool that loses and delays.
func (h *house) trade(i int) {
	t := h.lanes[i].Trade(h.clocks[i].now(), true)
	lost := h.chance.IntN(20) == 0
	back := h.among(60 * time.Millisecond)
	if h.chance.IntN(10) == 0 {
		back = h.among(1500 * time.Millisecond)
	}
	h.later(h.among(60*time.Millisecond), func() {
		h.mu.Lock()
		pool := append(h.pool[t.Timetable], t.Lent...)
		slices.Sort(pool)
		var got, kept []int64
		for _, n := range pool {
			if n >= t.First && n <= t.Last && len(got) < t.Want {
				got = append(got, n)
			} else if n > t.Passed {
				kept = append(kept, n)
			}
		}
		h.pool[t.Timetable] = kept
		h.mu.Unlock()
		if !lost {
			h.later(back, func() { h.lanes[i].Borrow(t.Timetable, got) })
		}
	})
}

// live is what happens to the house.
func (h *house) live(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(h.among(200 * time.Millisecond))
		i := h.chance.IntN(len(h.lanes))
		switch what := h.chance.IntN(30); {
		case what == 0 && h.plan.moves:
			h.rebalance()
		case what == 1 && h.plan.orders:
			rate := float64(h.plan.limit) * 1.2 * h.chance.Float64()
			for _, l := range h.lanes {
				h.later(h.among(time.Second), func() { l.SetRate(rate) })
			}
			time.Sleep(time.Second)
		case what == 2 && h.plan.sets:
			by := h.among(3*time.Second) - 1500*time.Millisecond
			for _, c := range h.clocks {
				c.set(by)
			}
		case what == 3:
			h.lanes[i].Keep(time.Time{})
			time.Sleep(h.among(300 * time.Millisecond))
			h.lanes[i].Keep(h.clocks[i].now().Add(h.among(2 * time.Second)))
		case what < 20 && h.plan.lends:
			h.trade(i)
		}
	}
}

// Whoever has a permit for however long, and whatever happens meanwhile: no second holds
// more calls than the limit, and no back-off has any.
func TestPermitsHandedOutAheadExceedNoWindow(t *testing.T) {
	calls := 0
	rapid.Check(t, func(rt *rapid.T) {
		flag := func(name string) bool { return rapid.Bool().Draw(rt, name) }
		p := housePlan{
			limit: rapid.SampledFrom([]int{5, 20, 50, 200}).Draw(rt, "limit"), total: rapid.IntRange(1, 8).Draw(rt, "shards"),
			lanes: rapid.IntRange(1, 3).Draw(rt, "lanes"), lends: flag("lends"), late: flag("late"), refuses: flag("refuses"),
			slows: flag("slows"), orders: flag("orders"), sets: flag("sets"), moves: flag("moves"), faults: flag("faults"),
			lead: rapid.SampledFrom([]time.Duration{time.Millisecond, 10 * time.Millisecond, 40 * time.Millisecond, time.Second}).Draw(rt, "lead"),
			seed: rapid.Uint64().Draw(rt, "seed"),
		}
		var h *house
		synctest.Test(t, func(*testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			h = newHouse(ctx, p)
			h.rebalance()
			for lane := range h.lanes {
				for caller := range 12 {
					h.wg.Go(func() { h.call(lane, rand.New(rand.NewPCG(p.seed, uint64(100+100*lane+caller)))) })
				}
			}
			h.live(12 * time.Second)
			cancel()
			h.wg.Wait()
		})
		slices.SortFunc(h.made, time.Time.Compare)
		for i := p.limit; i < len(h.made); i++ {
			if within := h.made[i].Sub(h.made[i-p.limit]); within <= time.Second {
				rt.Fatalf("%d calls within %v, %v after the first", p.limit+1, within, h.made[i].Sub(h.made[0]))
			}
		}
		if len(h.tooSoon) > 0 {
			rt.Fatalf("calls left %v after refusals", h.tooSoon)
		}
		calls += len(h.made)
	})
	if calls < 1000 {
		t.Errorf("%d calls in all", calls)
	}
}
