package lending

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a pool in memory.
type memory struct {
	mu     sync.Mutex
	slots  map[vendors.Timetable][]int64
	wanted time.Time // until
	trades int
	// fault, if set, is how a trade ends, after it was done if late is.
	fault error
	late  bool
	lost  int // slots that were lent by trades with a fault
}

var errAway = errors.New("away")

func (m *memory) trade(_ context.Context, t vendors.Trade) (answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trades++
	if m.fault != nil {
		m.lost += len(t.Lent)
	}
	if m.fault != nil && !m.late {
		return answer{}, m.fault
	}
	if m.slots == nil {
		m.slots = map[vendors.Timetable][]int64{}
	}
	all := append(m.slots[t.Timetable], t.Lent...)
	slices.Sort(all)
	var a answer
	var left []int64
	for _, s := range all {
		switch {
		case s < t.Passed:
			a.lapsed++
		case t.Want > len(a.taken) && s >= t.First && s <= t.Last:
			a.taken = append(a.taken, s)
		default:
			left = append(left, s)
		}
	}
	m.slots[t.Timetable] = left
	if t.Want > 0 {
		m.wanted = time.Now().Add(wishLasts)
	}
	a.wanted = time.Now().Before(m.wanted)
	return a, m.fault
}

func (m *memory) fail(err error, late bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault, m.late = err, late
}

// vendor is the other end of all replicas' lanes: it notes the slots in which
// calls came, and takes as long as delay for each.
type vendor struct {
	delay time.Duration
	mu    sync.Mutex
	slots []time.Time
}

func (v *vendor) Name() event.Vendor               { return event.Argos }
func (*vendor) Capabilities() vendors.Capabilities { return vendors.Capabilities{} }
func (*vendor) Check(context.Context) error        { return nil }
func (v *vendor) Authenticate(context.Context, vendors.Call) (vendors.Verdict, error) {
	time.Sleep(v.delay) // in fake time, or a few ms
	return vendors.Verdict{Outcome: event.Approved}, nil
}

// called notes a call that was made in a slot.
func (v *vendor) called(slot time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.slots = append(v.slots, slot)
}

// between returns how many calls were made in the slots of a span.
func (v *vendor) between(from, to time.Time) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.slots {
		if !s.Before(from) && s.Before(to) {
			n++
		}
	}
	return n
}

// hold fails the test if a slot was used twice, or if a second holds more calls
// than the limit.
func (v *vendor) hold(t *testing.T, limit int) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	slices.SortFunc(v.slots, time.Time.Compare)
	for i, s := range v.slots {
		if i > 0 && s.Equal(v.slots[i-1]) {
			t.Fatalf("the slot of %v was used twice", s)
		}
		if i >= limit && s.Sub(v.slots[i-limit]) <= time.Second {
			t.Fatalf("%d calls within %v", limit+1, s.Sub(v.slots[i-limit]))
		}
	}
}

// replica is a lane with its lender.
type replica struct {
	lane   *vendors.Lane
	lender *Lender
	unsure atomic.Bool // of its shards
}

const limit = 50

func newReplica(v *vendor, perSecond int, p pool) *replica {
	r := &replica{}
	r.lane = vendors.NewLane(v, vendors.LaneConfig{
		Windows: []vendors.Window{{Count: perSecond, Per: time.Second}}, Headroom: 0.02, MaxInFlight: 256, Timeout: 30 * time.Second, Lends: p != nil,
		Breaker: vendors.BreakerConfig{Ratio: .5, MinCalls: 20, Window: 30 * time.Second, Open: 15 * time.Second, Probes: 1},
		Logger:  slog.New(slog.DiscardHandler),
	})
	if p != nil {
		r.lender = New(Config{Lane: r.lane, Pool: p, Held: func() bool { return !r.unsure.Load() }, Timeout: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	}
	return r
}

// start runs the lender and n callers that ask for the next permit when their
// call has ended, each after a pause, until ctx ends.
func (r *replica) start(ctx context.Context, all *sync.WaitGroup, v *vendor, n int, pause time.Duration) {
	if r.lender != nil {
		all.Go(func() { r.lender.Run(ctx) })
	}
	for range n {
		all.Go(func() {
			for ctx.Err() == nil {
				p, err := r.lane.ReserveFor(ctx, 0, 15*time.Millisecond)
				if err != nil {
					return
				}
				if _, err := r.lane.Call(context.Background(), p, vendors.Call{}, func() error { return nil }); err == nil {
					v.called(p.At)
				}
				time.Sleep(pause)
			}
		})
	}
}

// skewed has one of three replicas work and the two others idle, with a pool or
// nil, for a while, and returns how much of the limit was used after the first
// two seconds.
func skewed(t *testing.T, p pool, d time.Duration, during func([]*replica)) (v *vendor, used float64) {
	v = &vendor{delay: 100 * time.Millisecond}
	replicas := []*replica{newReplica(v, limit, p), newReplica(v, limit, p), newReplica(v, limit, p)}
	for i, r := range replicas {
		r.lane.SetShards([]int{i, i + 3, i + 6, i + 9}, 12)
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var all sync.WaitGroup
	for i, r := range replicas {
		callers := 0
		if i == 0 {
			callers = 30
		}
		r.start(ctx, &all, v, callers, 0)
	}
	if during != nil {
		during(replicas)
	}
	all.Wait()
	from := start.Add(2 * time.Second)
	return v, float64(v.between(from, start.Add(d))) / (limit * 0.98 * (d - 2*time.Second).Seconds())
}

func TestBacklogOnOneReplicaUsesTheWholeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, used := skewed(t, nil, 20*time.Second, nil)
		t.Logf("without lending %.1f %% of the limit is used", 100*used)
		if used > .34 {
			t.Errorf("%.3f of the limit used by a third of the slots", used)
		}
		v.hold(t, limit)
	})
	synctest.Test(t, func(t *testing.T) {
		v, used := skewed(t, &memory{}, 20*time.Second, func(all []*replica) {
			time.Sleep(10 * time.Second)
			for i, r := range all {
				if testutil.ToFloat64(r.lender.metrics.available) != 1 {
					t.Error("the pool does not count as available")
				}
				if i > 0 && testutil.ToFloat64(r.lender.metrics.lent) == 0 || i == 0 && testutil.ToFloat64(r.lender.metrics.borrowed) == 0 {
					t.Error("slots lent or borrowed were not counted")
				}
			}
		})
		t.Logf("with lending %.1f %%", 100*used)
		if used < .97 {
			t.Errorf("%.3f of the limit used, want 0.97", used)
		}
		v.hold(t, limit)
	})
}

func TestPoolThatFailsLeavesEachItsOwnSlots(t *testing.T) {
	for name, late := range map[string]bool{"away": false, "answers lost": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &memory{}
				start := time.Now()
				v, _ := skewed(t, p, 40*time.Second, func(all []*replica) {
					time.Sleep(10 * time.Second)
					p.fail(errAway, late)
					time.Sleep(time.Second)
					for _, r := range all {
						if testutil.ToFloat64(r.lender.metrics.available) != 0 {
							t.Error("the pool counts as available")
						}
					}
					time.Sleep(9 * time.Second)
					p.fail(nil, false)
				})
				v.hold(t, limit)
				if p.lost > limit/5 {
					t.Errorf("%d slots were lost to a pool that is known to fail", p.lost)
				}
				if got := v.between(start.Add(12*time.Second), start.Add(20*time.Second)); got < 8*limit*98/100/3-1 {
					t.Errorf("%d calls in 8 s without the pool, want a third of the limit", got)
				}
				if got := v.between(start.Add(30*time.Second), start.Add(40*time.Second)); got < 10*limit*95/100 {
					t.Errorf("%d calls in 10 s once the pool is back", got)
				}
			})
		})
	}
}

func TestFlappingPoolNeverHasASlotUsedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &memory{}
		v, used := skewed(t, p, 30*time.Second, func([]*replica) {
			for i := range 250 {
				time.Sleep(110 * time.Millisecond)
				p.fail([]error{nil, nil, errAway}[i%3], i%2 == 0)
			}
		})
		v.hold(t, limit)
		if used < .32 {
			t.Errorf("%.3f of the limit used: less than without lending", used)
		}
	})
}

func TestReplicaThatIsNotSureOfItsShardsLendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, used := skewed(t, &memory{}, 10*time.Second, func(all []*replica) {
			for _, r := range all {
				r.unsure.Store(true)
			}
		})
		v.hold(t, limit)
		if used > .34 {
			t.Errorf("%.3f of the limit used", used)
		}
	})
}

func TestProcessThatWasStoppedLendsNothingForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &memory{wanted: time.Now().Add(time.Hour)}
		r := newReplica(&vendor{}, limit, p)
		r.lane.SetShards([]int{0}, 1)
		l := r.lender
		lentIn := func(d time.Duration) float64 {
			before := testutil.ToFloat64(l.metrics.lent)
			for end := time.Now().Add(d); time.Now().Before(end); {
				wait := l.step(t.Context())
				l.due = time.Now().Add(wait)
				time.Sleep(wait)
			}
			return testutil.ToFloat64(l.metrics.lent) - before
		}
		if lentIn(3*time.Second) == 0 {
			t.Fatal("nothing was lent in the first place")
		}
		time.Sleep(time.Minute)
		if n := lentIn(frozen - busy); n != 0 {
			t.Errorf("%v slots lent by a process that has just been stopped for a minute", n)
		}
		if lentIn(3*time.Second) == 0 {
			t.Error("nothing was lent ever after")
		}
	})
}

func TestIdleGroupLendsNothingAndHardlyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &memory{}
		v := &vendor{}
		r := newReplica(v, limit, p)
		r.lane.SetShards([]int{0}, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r.lender.Run(ctx)
		if len(p.slots[vendors.Timetable{MicroRate: 49e6, Shards: 2}]) > 0 || p.trades > 50 {
			t.Errorf("%v lent by %d trades in 10 s", p.slots, p.trades)
		}
	})
}

func TestReplicasThatAreAllBusyKeepTheirSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &memory{}
		v := &vendor{delay: 100 * time.Millisecond}
		var all sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), 22*time.Second)
		defer cancel()
		start := time.Now()
		var replicas []*replica
		for i := range 3 {
			r := newReplica(v, limit, p)
			r.lane.SetShards([]int{i}, 3)
			r.start(ctx, &all, v, 30, 0)
			replicas = append(replicas, r)
		}
		all.Wait()
		v.hold(t, limit)
		if got := v.between(start.Add(2*time.Second), start.Add(22*time.Second)); got < 20*limit*97/100 {
			t.Errorf("%d calls in 20 s", got)
		}
		for _, r := range replicas {
			if n := testutil.ToFloat64(r.lender.metrics.lent); n > 50 {
				t.Errorf("a busy replica lent %v slots", n)
			}
		}
	})
}

// A lender's own requests don't wait long for what it has lent.
func TestOwnerWithLittleWorkIsServedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &memory{}
		v := &vendor{delay: 100 * time.Millisecond}
		var all sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		hungry, owner := newReplica(v, limit, p), newReplica(v, limit, p)
		hungry.lane.SetShards([]int{0, 1}, 4)
		owner.lane.SetShards([]int{2, 3}, 4)
		hungry.start(ctx, &all, v, 40, 0)
		owner.start(ctx, &all, v, 0, 0)
		var waits []time.Duration
		start := time.Now()
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				time.Sleep(time.Duration(150+i*37%300) * time.Millisecond) // some 3 a second
				asked := time.Now()
				permit, err := owner.lane.ReserveFor(ctx, 0, 15*time.Millisecond)
				if err != nil {
					return
				}
				waits = append(waits, time.Until(permit.At)+time.Since(asked))
				if _, err := owner.lane.Call(context.Background(), permit, vendors.Call{}, func() error { return nil }); err == nil {
					v.called(permit.At)
				}
			}
		})
		all.Wait()
		v.hold(t, limit)
		slices.Sort(waits)
		median, worst := waits[len(waits)/2], waits[len(waits)-1]
		used := float64(v.between(start.Add(2*time.Second), start.Add(60*time.Second))) / (58 * limit * .98)
		t.Logf("%d requests waited %v, at worst %v; %.1f %% of the limit used", len(waits), median, worst, 100*used)
		if median > 300*time.Millisecond || worst > 2*time.Second {
			t.Errorf("requests of the lender waited %v, at worst %v", median, worst)
		}
		if used < .9 {
			t.Errorf("%.3f of the limit used", used)
		}
	})
}
