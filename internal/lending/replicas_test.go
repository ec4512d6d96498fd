package lending

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

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
