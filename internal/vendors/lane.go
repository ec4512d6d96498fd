package vendors

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// LaneConfig is what a lane needs to know beside its adapter.
type LaneConfig struct {
	// Windows are the vendor's limits for the whole group; all hold at once. The
	// shortest gives the pace, which is even, and calls go at that pace while
	// the longer ones have room; with little to do they go as they come
	// (spare.go). Without any there is no limit.
	Windows []Window
	// Headroom is the share of all limits that stays unused, to pay for clock
	// skew between replicas and jitter on the way.
	Headroom float64
	// Schedule lowers the pace at times of the day. It needs a limit.
	Schedule Schedule
	// Lends: replicas lend each other slots (Trade), so that those of a gained
	// shard are left alone for as long as its former owner may have lent them.
	Lends bool
	// MaxInFlight bounds the calls at the vendor, Timeout each of them.
	MaxInFlight int
	Timeout     time.Duration
	Breaker     BreakerConfig
	// Registerer takes the lane's metrics; nil: none are registered.
	Registerer prometheus.Registerer
	Logger     *slog.Logger
}

// Lane is the one path to a vendor: every call passes its cap on calls in
// flight, its pause, its breaker and its timetable, in this order. A lane is
// safe for concurrent use.
type Lane struct {
	adapter  Adapter
	cfg      LaneConfig
	log      *slog.Logger
	metrics  *laneMetrics
	inFlight line                            // a token per permit
	turn     line                            // for its one token: somebody picks a slot
	tell     func(until time.Time)           // of back-offs; may be nil
	claims   Claims                          // of what is asked beside calls for requests
	mayLate  func(at, leaves time.Time) bool // see OnLate
	valve    Valve
	breaker  *breaker
	ceiling  *ceiling
	demand   demand
	suspects suspects
	row      unexplainedRow

	mu      sync.Mutex // guards what follows
	quota   quota      // its times are of the wall clock alone
	clock   clock
	changed chan struct{} // closed and replaced when a waiter should look again
}

// ErrTimeout is the cause of a call that took longer than the lane's timeout.
var ErrTimeout = errors.New("vendor call timed out")

// NewLane returns a lane that owns no shard yet: it makes no call before
// SetShards, unless there is no limit.
func NewLane(adapter Adapter, cfg LaneConfig) *Lane {
	l := &Lane{
		adapter:  adapter,
		cfg:      cfg,
		log:      cfg.Logger.With("vendor", adapter.Name()),
		metrics:  newLaneMetrics(cfg.Registerer, adapter.Name()),
		inFlight: newLine(cfg.MaxInFlight),
		turn:     newLine(1),
		mayLate:  func(_, _ time.Time) bool { return true },
		changed:  make(chan struct{}),
		clock:    newClock(time.Now),
		quota:    newQuota(newLimits(cfg.Windows, cfg.Headroom), cfg.Schedule),
	}
	if cfg.Lends {
		l.quota.table.wait = lendReach
	}
	l.ceiling = newCeiling(l.quota.plan.perSecond)
	l.valve.OnChange = l.paused
	l.breaker = newBreaker(string(adapter.Name()), cfg.Breaker, l.breakerChanged)
	l.metrics.limits(l)
	l.metrics.ceiling.Set(l.ceiling.rate())
	return l
}

// Adapter returns the lane's adapter.
func (l *Lane) Adapter() Adapter { return l.adapter }

// PerSecond returns the highest pace of the whole group in calls per second,
// headroom included, 0 for none.
func (l *Lane) PerSecond() float64 { return l.quota.limits.perSecond }

// Share returns how many calls per second the shards of this replica may make, 0
// if there is no limit or no shard.
func (l *Lane) Share() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quota.table.owned == 0 {
		return 0
	}
	return l.quota.table.pace.perSecond * l.quota.table.part()
}

// MaxInFlight returns the cap on calls at the vendor.
func (l *Lane) MaxInFlight() int { return l.cfg.MaxInFlight }

// Timeout returns the bound on one call.
func (l *Lane) Timeout() time.Duration { return l.cfg.Timeout }

// Fault returns what the lane is paused for, nil while it is not.
func (l *Lane) Fault() error { return l.valve.Fault() }

// BreakerState returns the breaker's present state.
func (l *Lane) BreakerState() BreakerState { return l.breaker.state() }

// SetShards replaces the shards whose slots this replica may use: numbers
// below total. What was counted for a shard that left is forgotten; where calls
// are counted, a gained one has no room before EndRestore.
//
// When there are more shards than before, the shares of the new ones come on top
// of what the others had used: until the longest window has passed, it may hold
// more calls than its limit, at most the new shards' part of it.
func (l *Lane) SetShards(owned []int, total int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, wall := l.readLocked()
	l.quota.setShards(owned, total, wall)
	l.changedLocked()
}

// Keep says until when the shards are surely this replica's, zero if others may gain
// some any time: till then calls may go far ahead of their slots. It returns how long
// it takes until the last of those slots has begun, at most a second: others must not
// gain its shard before.
func (l *Lane) Keep(until time.Time) (takes time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, wall := l.readLocked()
	if !until.IsZero() { // whichever clock says so first
		until = earliest(until.Round(0), wall.Add(until.Sub(now)))
	}
	if until.After(l.quota.sooner.kept) {
		l.changedLocked()
	}
	return l.quota.keep(until, wall)
}

// SetRate lowers the pace of the whole group to so many calls per second, less the
// headroom; 0, or more than the limits allow, takes that back. All replicas are to
// be told within a second; none makes a call in it, in the one after, and for as long
// as the limits' slots are apart.
func (l *Lane) SetRate(perSecond float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, wall := l.readLocked()
	l.quota.order(perSecond, wall)
	l.changedLocked()
}

// readLocked reads the clock, follows it if it was set, and returns the time, also
// without a reading of the monotonic clock, for the quota. The caller holds mu.
func (l *Lane) readLocked() (now, wall time.Time) {
	now, by := l.clock.look(l.quota.limits.bearable())
	wall = now.Round(0)
	if by != 0 {
		l.quota.set(by, wall)
		l.changedLocked()
		l.metrics.clockSet.Inc()
		l.log.Warn("the wall clock was set; the lane begins anew in its slots", "by", by)
	}
	return now, wall
}

func (l *Lane) changedLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Call makes the call that the permit allows and uses the permit up. It has the
// adapter prepare for it and waits for the permit's slot first; ErrMissed means that
// no call was made. may is asked right before the call leaves, or connects so that it
// may leave: its error is returned and no call is made, as none is before may was asked.
func (l *Lane) Call(ctx context.Context, p *Permit, c Call, may func() error) (Verdict, error) {
	if err := l.prepare(ctx, p); err != nil {
		return Verdict{}, err
	}
	err := p.wait(ctx)
	if err == nil {
		err = may()
	}
	if err != nil {
		p.Release()
		return Verdict{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.cfg.Timeout, ErrTimeout)
	defer cancel()
	start := time.Now()
	var v Verdict
	err = l.Contain("authenticate", func() (err error) {
		v, err = l.adapter.Authenticate(p.watch(ctx), c)
		return err
	})
	elapsed := time.Since(start)
	err, ofLane := l.row.judge(c.RequestID, l.suspects.judge(c.RequestID, start, err), l.Fault() != nil)
	p.end(ofLane, elapsed)
	return v, err
}

// prepare has the adapter get what a call needs. An error of that ends the permit as
// one of the call would.
func (l *Lane) prepare(ctx context.Context, p *Permit) error {
	preparer, ok := l.adapter.(Preparer)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.cfg.Timeout, ErrTimeout)
	defer cancel()
	start := time.Now()
	err := l.Contain("prepare", func() error { return preparer.Prepare(ctx) })
	if err != nil {
		p.end(err, time.Since(start))
	}
	return err
}

// Turn is the lane's Turn: each request takes a permit, and a claim, like a call. It
// reserves as far ahead as calls do: a slot sooner than that would have all others wait
// for it first, and then be too late for those in between. Its error is that of do, the
// context's cause, or that of Claims.
func (l *Lane) Turn(ctx context.Context, do func(context.Context) error) error {
	return l.turnAt(ctx, asTheyCome, do)
}

// TurnAhead is Turn ahead of all who wait for theirs, but one. It is for requests
// that come one after the other, and that many wait for: the pages of a list.
func (l *Lane) TurnAhead(ctx context.Context, do func(context.Context) error) error {
	return l.turnAt(ctx, ahead, do)
}

func (l *Lane) turnAt(ctx context.Context, place place, do func(context.Context) error) error {
	for {
		lead := max(time.Duration(l.demand.lead.Load()), l.claims.lead())
		p, err := l.reserve(ctx, anyShard, lead, place, time.Now())
		if err != nil {
			return err
		}
		if err = l.claims.write(ctx, p.shard, p.At); err == nil {
			err = p.wait(ctx)
		}
		if err != nil {
			p.Release()
			if errors.Is(err, ErrMissed) {
				continue
			}
			return err
		}
		timed, cancel := context.WithTimeoutCause(ctx, l.cfg.Timeout, ErrTimeout)
		start := time.Now()
		err = l.Contain("ask", func() error { return do(p.watch(timed)) })
		cancel()
		p.end(err, time.Since(start))
		return err
	}
}

// OnThrottle sets what is told of each back-off that the vendor asked for; it
// must be brief. It is set before the lane is used.
func (l *Lane) OnThrottle(tell func(until time.Time)) { l.tell = tell }

// OnLate sets what is asked whether a call may leave in another slot than that of its
// permit, for which it was too late, as it had to connect first: at is Permit.At, and
// leaves when it would leave. It must be brief, and not use the lane. It is set before
// the lane is used.
func (l *Lane) OnLate(may func(at, leaves time.Time) bool) { l.mayLate = may }

// BackOff makes no call until then and comes back at half the rate: another
// replica was told to. A vendor cannot be made to wait longer than for a
// back-off of its own.
func (l *Lane) BackOff(until time.Time) {
	now := l.clock.read()
	l.ceiling.throttle(now, until.Sub(now))
}

// throttled follows the vendor's wish for fewer calls.
func (l *Lane) throttled(after time.Duration) {
	if until := l.ceiling.throttle(l.clock.read(), after); !until.IsZero() && l.tell != nil {
		l.tell(until)
	}
}

// paused reports a change of the valve, which calls it under its lock.
func (l *Lane) paused(fault error) {
	if fault == nil {
		l.metrics.paused.Set(0)
		l.log.Info("lane resumed")
		return
	}
	l.metrics.paused.Set(1)
	l.metrics.faults.Inc()
	l.log.Error("lane paused: every call would fail; requests are kept", "error", fault)
}

// breakerChanged reports a change of the breaker, which calls it under its lock.
func (l *Lane) breakerChanged(to BreakerState) {
	l.metrics.breaker.Set(float64(to))
	l.log.Warn("breaker changed", "state", to.String())
}

// kindOf returns the kind of a call's error, "interrupted" for an end of our own making.
func kindOf(err error) string {
	var fault *Error
	if errors.Is(err, context.Canceled) || !errors.As(err, &fault) {
		return "interrupted"
	}
	return fault.Kind.String()
}
