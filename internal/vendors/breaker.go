package vendors

import (
	"context"
	"errors"
	"sync"
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
	// Open is how long no call is made before probing begins.
	Open time.Duration
	// Probes is how many calls in a row must succeed to close the breaker,
	// and how many of them may be under way at once.
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

// breaker is gobreaker with a way to wait for it. gobreaker runs OnStateChange
// under its lock, so the callback must not call it: it only notes the time and
// wakes the waiters.
type breaker struct {
	two *gobreaker.TwoStepCircuitBreaker[struct{}]
	cfg BreakerConfig

	mu       sync.Mutex
	openedAt time.Time
	changed  chan struct{}
}

func newBreaker(name string, cfg BreakerConfig, onChange func(BreakerState)) *breaker {
	b := &breaker{cfg: cfg, changed: make(chan struct{})}
	b.two = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         name,
		MaxRequests:  uint32(cfg.Probes),
		Interval:     cfg.Window,
		BucketPeriod: cfg.Window / 10,
		Timeout:      cfg.Open,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			ended := c.TotalSuccesses + c.TotalFailures
			return int(ended) >= cfg.MinCalls && float64(c.TotalFailures) >= cfg.Ratio*float64(ended)
		},
		IsSuccessful: func(err error) bool { return err == nil },
		IsExcluded:   func(err error) bool { return errors.Is(err, errNoEvidence) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			b.mu.Lock()
			if to == gobreaker.StateOpen {
				b.openedAt = time.Now()
			}
			b.mu.Unlock()
			b.wake()
			onChange(BreakerState(to))
		},
	})
	return b
}

// errNoEvidence ends a call that says nothing about the vendor's health.
var errNoEvidence = errors.New("no evidence")

// try returns the function that ends the call, or how long to wait before
// asking again, or less if changed is closed; a wait of 0 means until changed.
func (b *breaker) try() (done func(error), wait time.Duration, changed <-chan struct{}) {
	b.mu.Lock()
	changed = b.changed
	b.mu.Unlock()
	done, err := b.two.Allow()
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		b.mu.Lock()
		defer b.mu.Unlock()
		// gobreaker opens strictly after the timeout.
		return nil, max(time.Millisecond, time.Until(b.openedAt.Add(b.cfg.Open))+time.Microsecond), changed
	case err != nil:
		return nil, 0, changed
	}
	return done, 0, nil
}

// end classifies how a call ended and tells the breaker.
func (b *breaker) end(done func(error), err error, elapsed time.Duration) {
	slow := b.cfg.SlowCall > 0 && elapsed >= b.cfg.SlowCall
	var fault *Error
	switch {
	case err == nil && slow:
		done(errSlow)
	case err == nil:
		done(nil)
	case !errors.As(err, &fault) || errors.Is(err, context.Canceled):
		done(errNoEvidence) // we ended it, the vendor did not
	case fault.Kind == Transient:
		done(err)
	case fault.Kind == Refused:
		done(nil) // the vendor is well: it answered
	default:
		done(errNoEvidence) // throttled and lane faults have ways of their own
	}
	if b.two.State() == gobreaker.StateHalfOpen {
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

// state returns the present state.
func (b *breaker) state() BreakerState { return BreakerState(b.two.State()) }
