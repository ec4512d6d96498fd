package vendors

import (
	"context"
	"errors"
	"sync"
	"time"
)

// lateness is how far past the begin of its slot a call may still be made. The
// headroom of 2 % pays for 20 ms of jitter in all; half of it is left to the
// network.
const lateness = 10 * time.Millisecond

// ahead is how far before its slot a permit is handed out, beyond the caller's lead.
const ahead = 5 * time.Millisecond

// ErrMissed says that the permit's slot has passed, or the lane closed meanwhile. No
// call was made; reserve again.
var ErrMissed = errors.New("the permit's slot was missed")

// Permit is a reserved slot, a place among the calls in flight, and the
// breaker's and the valve's leave. It is used up by Lane.Call, or given back by
// Release.
type Permit struct {
	// At is when the call may be made.
	At time.Time

	lane *Lane
	slot int64 // -1 without a timetable
	pass Pass
	done func(error)
	once sync.Once
}

// Reserve waits until a call may be made at least lead from now, and not much
// later, and returns the permit for it. Its only error is the context's cause.
func (l *Lane) Reserve(ctx context.Context, lead time.Duration) (*Permit, error) {
	if err := take(ctx, l.inFlight); err != nil {
		return nil, err
	}
	start := time.Now()
	p, err := l.reserve(ctx, lead)
	if err != nil {
		<-l.inFlight
		return nil, err
	}
	l.metrics.permitWait.Observe(time.Since(start).Seconds())
	l.metrics.inFlight.Set(float64(len(l.inFlight)))
	return p, nil
}

func (l *Lane) reserve(ctx context.Context, lead time.Duration) (*Permit, error) {
	if err := take(ctx, l.turn); err != nil {
		return nil, err
	}
	defer func() { <-l.turn }()
	for {
		pass, err := l.enter(ctx)
		if err != nil {
			return nil, err
		}
		p, wait, changed := l.try(pass, lead)
		if p != nil {
			return p, nil
		}
		pass.Release()
		if err := sleep(ctx, wait, changed); err != nil {
			return nil, err
		}
	}
}

// enter passes the valve. A probe asks the vendor's free check first, so that
// no request has to serve for finding out that the key is still wrong.
func (l *Lane) enter(ctx context.Context) (Pass, error) {
	for {
		pass, err := l.valve.Enter(ctx)
		if err != nil || !pass.probe {
			return pass, err
		}
		check, cancel := context.WithTimeoutCause(ctx, l.cfg.Timeout, ErrTimeout)
		err = l.adapter.Check(check)
		cancel()
		if err == nil {
			return pass, nil
		}
		if ctx.Err() != nil {
			pass.Release()
			return Pass{}, context.Cause(ctx)
		}
		pass.Fail(err)
	}
}

// try returns a permit, or how long to wait before asking again, or less if
// changed is closed.
func (l *Lane) try(pass Pass, lead time.Duration) (p *Permit, wait time.Duration, changed <-chan struct{}) {
	now := time.Now()
	slot, at, wait, changed := l.candidate(now.Add(lead))
	if at.IsZero() {
		return nil, wait, changed
	}
	if early := at.Sub(now) - lead - ahead; early > 0 {
		return nil, early, changed
	}
	done, wait, woken := l.breaker.try()
	if done == nil {
		return nil, wait, woken
	}
	if again, ok := l.ceiling.allow(at); !ok {
		done(errNoEvidence)
		return nil, max(time.Millisecond, again.Sub(now)-lead-ahead), changed
	}
	l.takeSlot(slot)
	return &Permit{At: at, lane: l, slot: slot, pass: pass, done: done}, 0, nil
}

// candidate returns the first slot at or past earliest that is free, without
// taking it. A zero time means that there is none until changed.
func (l *Lane) candidate(earliest time.Time) (slot int64, at time.Time, wait time.Duration, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cfg.PerSecond == 0 {
		return -1, earliest, 0, l.changed
	}
	l.dropPassed(earliest)
	if len(l.freed) > 0 {
		return l.freed[0], l.table.begin(l.freed[0]), 0, l.changed
	}
	slot, at, ok := l.table.next(l.last, earliest)
	if !ok {
		return 0, time.Time{}, 0, l.changed
	}
	return slot, at, 0, l.changed
}

// dropPassed forgets the freed slots that begin too early to be of use. Those
// that were given back late in a row are few, so a linear walk is right.
func (l *Lane) dropPassed(earliest time.Time) {
	kept := l.freed[:0]
	for _, s := range l.freed {
		if !l.table.begin(s).Before(earliest) {
			kept = append(kept, s)
		}
	}
	l.freed = kept
}

func (l *Lane) takeSlot(slot int64) {
	if slot < 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.freed) > 0 && l.freed[0] == slot {
		l.freed = l.freed[1:]
	}
	l.last = max(l.last, slot)
}

// owns says whether a slot that was handed out is still ours.
func (l *Lane) owns(slot int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slot < 0 || l.table.owns(slot)
}

// wait sleeps until the slot begins. ErrMissed says that it is too late, or
// that since the permit was given the lane was shut, the breaker opened, or the
// slot's shard moved.
func (p *Permit) wait(ctx context.Context) error {
	if d := time.Until(p.At); d > 0 {
		if err := sleep(ctx, d, nil); err != nil {
			return err
		}
	}
	if p.slot >= 0 && time.Since(p.At) > lateness {
		p.lane.metrics.missed.Inc()
		return ErrMissed
	}
	if !p.pass.probe && p.lane.valve.Fault() != nil || p.lane.breaker.state() == BreakerOpen || !p.lane.owns(p.slot) {
		return ErrMissed
	}
	return ctx.Err()
}

// Release gives the permit back unused; after a use it does nothing.
func (p *Permit) Release() {
	p.once.Do(func() {
		p.done(errNoEvidence)
		p.pass.Release()
		p.lane.free(p)
		p.lane.breaker.wake()
		<-p.lane.inFlight
	})
}

// free returns a slot that has not begun to those that may be taken.
func (l *Lane) free(p *Permit) {
	if p.slot < 0 || time.Until(p.At) <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.table.owns(p.slot) {
		l.freed = append(l.freed, p.slot)
	}
}

// end uses the permit up and tells breaker, valve and ceiling how the call ended.
func (p *Permit) end(err error, elapsed time.Duration) {
	p.once.Do(func() {
		l := p.lane
		l.breaker.end(p.done, err, elapsed)
		var fault *Error
		errors.As(err, &fault)
		switch {
		case err == nil, fault != nil && fault.Kind == Refused:
			p.pass.Succeed()
		case fault != nil && fault.Kind == LaneFault:
			p.pass.Fail(err)
		case fault != nil && fault.Kind == Throttled:
			l.throttled(fault.RetryAfter)
			p.pass.Release()
		default:
			p.pass.Release()
		}
		<-l.inFlight
		l.metrics.ended(err, elapsed, l.ceiling.rate(), len(l.inFlight))
	})
}

// take puts a token into a bounded channel; its only error is the context's cause.
func take(ctx context.Context, tokens chan<- struct{}) error {
	select {
	case tokens <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
