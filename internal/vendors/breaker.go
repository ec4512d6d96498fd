package vendors

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// BreakerConfig says when a lane's breaker opens and how it closes again.
type BreakerConfig struct {
	// Ratio of failed or slow calls, of at least MinCalls within Window, that
	// opens the breaker.
	Ratio    float64
	MinCalls int
	Window   time.Duration
	// SlowCall is the duration from which a call counts as failed; 0: never.
	SlowCall time.Duration
	// Open is how long no call is made before probing begins, unless the vendor
	// answers the free check sooner (lookout.go).
	Open time.Duration
	// Probes is how many calls in a row must succeed to close the breaker,
	// and how many of them may be under way at once; one replica of the group
	// makes them (group.go), in each period of length Open.
	Probes int
}

// BreakerState is the state as it stands in metrics: 0 closed, 1 half-open,
// 2 open.
type BreakerState int

// The breaker states.
const (
	BreakerClosed   BreakerState = BreakerState(gobreaker.StateClosed)
	BreakerHalfOpen BreakerState = BreakerState(gobreaker.StateHalfOpen)
	BreakerOpen     BreakerState = BreakerState(gobreaker.StateOpen)
)

// String returns closed, half-open or open.
func (s BreakerState) String() string { return gobreaker.State(s).String() }

// errSlow marks a call that succeeded too slowly, for the breaker alone.
var errSlow = errors.New("slow call")

// breaker is gobreaker with a way to wait for it, and with the group's word on when
// it opens, who probes and when it closes (group.go). gobreaker runs its callbacks
// under its lock, so they must not call it, and nobody calls it who holds mu.
type breaker struct {
	name     string
	cfg      BreakerConfig
	onChange func(BreakerState)
	// heard is set while the group's word opens the breaker.
	heard atomic.Bool

	mu sync.Mutex // guards what follows
	// two is replaced when the group's word closes the breaker.
	two      *gobreaker.TwoStepCircuitBreaker[struct{}]
	shut     bool // open or half-open
	openedAt time.Time
	// until is when probing may begin, by anybody in the group.
	until time.Time
	// probing says that until then it is us who probe.
	probing bool
	turns   turns
	// early says that the group probes before its time, as a look went well;
	// fruitless counts such probes that failed; lookFrom is when to look next.
	early     bool
	fruitless int
	lookFrom  time.Time
	closedAt  time.Time
	tell      func(BreakerNews) // may be nil
	trust     trust
	changed   chan struct{}
}

func newBreaker(name string, cfg BreakerConfig, onChange func(BreakerState)) *breaker {
	b := &breaker{name: name, cfg: cfg, onChange: onChange, changed: make(chan struct{})}
	b.two = b.fresh()
	return b
}

// fresh returns a breaker that is closed and has seen nothing.
func (b *breaker) fresh() (two *gobreaker.TwoStepCircuitBreaker[struct{}]) {
	two = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         b.name,
		MaxRequests:  uint32(b.cfg.Probes),
		Interval:     b.cfg.Window,
		BucketPeriod: b.cfg.Window / 10,
		Timeout:      1, // until holds, for the whole group
		ReadyToTrip: func(c gobreaker.Counts) bool {
			ended := c.TotalSuccesses + c.TotalFailures
			return b.heard.Load() || int(ended) >= b.cfg.MinCalls && float64(c.TotalFailures) >= b.cfg.Ratio*float64(ended)
		},
		IsSuccessful:  func(err error) bool { return err == nil },
		IsExcluded:    func(err error) bool { return errors.Is(err, errNoEvidence) },
		OnStateChange: func(_ string, _, to gobreaker.State) { b.changeTo(two, BreakerState(to)) },
	})
	return two
}

// changeTo follows a change of two's state.
func (b *breaker) changeTo(two *gobreaker.TwoStepCircuitBreaker[struct{}], to BreakerState) {
	b.mu.Lock()
	if b.two != two {
		b.mu.Unlock()
		return // the group has closed it meanwhile
	}
	own := !b.heard.Load()
	switch to {
	case BreakerOpen:
		b.openedAt = time.Now()
		if own {
			b.until = b.openedAt.Add(b.cfg.Open)
			b.trust.agree()
			b.postpone(b.openedAt)
		}
		b.shut, b.probing = true, false
	case BreakerClosed:
		b.closeLocked("", time.Now())
	}
	news, tell := BreakerNews{State: to, Until: b.until}, b.tell
	b.mu.Unlock()
	b.wake()
	b.onChange(to)
	if own && tell != nil && to != BreakerHalfOpen {
		tell(news)
	}
}

// closeLocked lets calls through again: from, empty for us, has found the vendor to
// be well. The caller holds mu.
func (b *breaker) closeLocked(from string, now time.Time) {
	b.shut, b.probing, b.early, b.closedAt = false, false, false, now
	b.trust.closed(from, now, b.cfg.Open)
}

// errNoEvidence ends a call that says nothing about the vendor's health.
var errNoEvidence = errors.New("no evidence")

// try returns the function that ends the call, or how long to wait before
// asking again, or less if changed is closed; a wait of 0 means until changed.
func (b *breaker) try() (done func(error), wait time.Duration, changed <-chan struct{}) {
	now := time.Now()
	b.mu.Lock()
	two, changed := b.two, b.changed
	wait = b.waitLocked(now)
	b.mu.Unlock()
	if wait > 0 {
		return nil, max(time.Millisecond, wait), changed
	}
	done, err := two.Allow()
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		return nil, time.Millisecond, changed
	case err != nil:
		return nil, 0, changed
	}
	b.probe(two, now)
	return done, 0, nil
}

// end classifies how a call ended and tells the breaker.
func (b *breaker) end(done func(error), err error, elapsed time.Duration) {
	slow := b.cfg.SlowCall > 0 && elapsed >= b.cfg.SlowCall
	fault, ok := errors.AsType[*Error](err)
	switch {
	case err == nil && slow:
		done(errSlow)
	case err == nil:
		done(nil)
	case !ok || errors.Is(err, context.Canceled):
		done(errNoEvidence) // we ended it, the vendor did not
	case fault.Kind == Transient:
		done(err)
	case fault.Kind == Refused:
		done(nil) // the vendor is well: it answered
	default:
		done(errNoEvidence) // the other kinds have ways of their own
	}
	if b.state() == BreakerHalfOpen {
		b.wake() // an excluded probe changes no state, but leaves room
	}
}

// wake lets every waiter look again.
func (b *breaker) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
}

// state returns the present state. While others are to probe it is open.
func (b *breaker) state() BreakerState {
	b.mu.Lock()
	two, held := b.two, b.shut && !b.probing && time.Now().Before(b.until)
	b.mu.Unlock()
	if held {
		return BreakerOpen
	}
	return BreakerState(two.State())
}
