package lending

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/vendors"
)

// pool is where slots are lent and borrowed: a *RedisPool.
type pool interface {
	// trade puts the slots lent into the pool of the trade's timetable and takes
	// out those wanted, in order, each for good. After an error it is unknown
	// whether it did either; it is never done later than once.
	trade(ctx context.Context, t vendors.Trade) (answer, error)
}

// answer is what a pool says to a trade.
type answer struct {
	taken  []int64 // in order
	wanted bool    // somebody has wanted slots lately
	lapsed int     // slots cleared away that nobody took
}

// Config is what a Lender needs.
type Config struct {
	Lane *vendors.Lane
	// Pool is a *RedisPool.
	Pool pool
	// Held says whether the lane's shards are certainly still this replica's. It
	// must be brief.
	Held func() bool
	// Timeout bounds a round trip to the pool.
	Timeout    time.Duration
	Registerer prometheus.Registerer // nil: no metrics
	Logger     *slog.Logger
}

const (
	// busy and quiet are the times between two trades, with slots to trade and
	// without.
	busy  = 100 * time.Millisecond
	quiet = 250 * time.Millisecond
	// probeTimeout bounds a trade of nothing, which may have to connect first and
	// takes nothing from anybody.
	probeTimeout = time.Second
	// firstPause and longestPause bound the wait before a pool that failed is
	// tried again; it doubles each time.
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
	// frozen is how late a trade must be for the process to have been stopped, and
	// for how long it lends nothing then: its membership needs a moment to find
	// out what it missed.
	frozen = time.Second
)

// Lender trades slots for one lane.
type Lender struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics

	// The rest is Run's.
	available bool
	wanted    bool
	pause     time.Duration // before the next try, while not available
	due       time.Time     // when the next trade should be
	thawed    time.Time     // when the process was found to have been stopped
}

// New returns a lender for a lane that was made with LaneConfig.Lends.
func New(cfg Config) *Lender {
	vendor := cfg.Lane.Adapter().Name()
	return &Lender{cfg: cfg, log: cfg.Logger.With("vendor", vendor), metrics: newMetrics(cfg.Registerer, vendor)}
}

// Run trades until ctx ends. Without it the lane has the slots of the timetable.
func (l *Lender) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer l.metrics.available.Set(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		wait := l.step(ctx)
		// Replicas that were started together should not come together for good.
		wait -= time.Duration(rand.Int64N(int64(wait / 10)))
		l.due = time.Now().Add(wait)
		timer.Reset(wait)
	}
}

// step makes one trade and returns how long to wait before the next.
func (l *Lender) step(ctx context.Context) (wait time.Duration) {
	// Slots are lent for a second from now, so now comes before the question
	// whether the shards are held: whatever is slow in between is on the safe side.
	now := time.Now()
	if !l.due.IsZero() && now.Sub(l.due) > frozen {
		l.thawed = now
	}
	lend := l.available && l.wanted && now.Sub(l.thawed) > frozen && l.cfg.Held()
	t := l.cfg.Lane.Trade(now, lend)
	if t.Timetable == (vendors.Timetable{}) {
		return quiet
	}
	timeout := l.cfg.Timeout
	if !l.available {
		t.Want, timeout = 0, probeTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	a, err := l.cfg.Pool.trade(bounded, t)
	cancel()
	if err != nil {
		return l.failed(ctx, err)
	}
	if !l.available {
		l.log.Info("slots can be lent and borrowed")
		l.metrics.available.Set(1)
		l.available, l.pause = true, 0
		return busy
	}
	l.wanted = a.wanted
	l.metrics.lent.Add(float64(len(t.Lent)))
	l.metrics.lapsed.Add(float64(a.lapsed))
	if len(a.taken) > 0 {
		l.metrics.borrowed.Add(float64(l.cfg.Lane.Borrow(t.Timetable, a.taken)))
	}
	if t.Want > 0 || l.wanted {
		return busy
	}
	return quiet
}

// failed leaves the pool alone for a while, the longer the longer it fails.
func (l *Lender) failed(ctx context.Context, err error) (wait time.Duration) {
	if l.pause == 0 && ctx.Err() == nil {
		l.log.Warn("no slots can be lent or borrowed; each replica keeps to its own", "error", err)
	}
	l.metrics.available.Set(0)
	l.available, l.wanted = false, false
	l.pause = min(longestPause, max(firstPause, 2*l.pause))
	return l.pause
}
