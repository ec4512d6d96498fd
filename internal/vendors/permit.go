package vendors

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Lateness is how far past the begin of its slot a call may still be made. The
// headroom of 2 % pays for 20 ms of jitter in all; the rest is left to clocks, the
// network and the vendor's own door: with 10 ms, twelve replicas on two processors
// had some calls of 400 a second refused.
const Lateness = 5 * time.Millisecond

// early is how far before its slot a permit is handed out, beyond the caller's lead:
// for so long may whoever waits for it be held up, by other processes or the collector
// of garbage, without that slots pass unused. 5 ms cost 400 calls a second 0.3 % of them.
const early = 15 * time.Millisecond

// ErrMissed says that the permit's slot has passed, or the lane closed meanwhile. No
// call was made; reserve again.
var ErrMissed = errors.New("the permit's slot was missed")

// Permit is a reserved slot, with its call charged to every longer window, a
// place among the calls in flight, and the breaker's and the valve's leave. It is
// used up by Lane.Call, or given back by Release.
type Permit struct {
	// At is when the call is made, or where its slot is spared the wait for it, by
	// when.
	At time.Time

	lane    *Lane
	slot    slot    // zero without a timetable; the lane's lock guards it once the call is made
	setting setting // of the clock, since slot was taken
	moved   bool    // it is not the first
	charged *counts // nil without longer windows
	shard   int     // that it is charged to, anyShard without longer windows if it is for none
	pass    Pass
	done    func(error)
	once    sync.Once
	leaves  sync.Once
}

// NoRoomError says that a shard has used up its share of a window.
type NoRoomError struct {
	// Until is from when on it has room again, unless a permit is given back
	// sooner.
	Until time.Time
}

func (e *NoRoomError) Error() string { return "the shard's share of a limit is used up" }

// ReserveFor waits until a call for a request of the shard may be made at least
// lead from now, and not much later, and returns the permit for it. Its error is
// the context's cause, or a *NoRoomError if the shard has no room soon.
func (l *Lane) ReserveFor(ctx context.Context, shard int, lead time.Duration) (*Permit, error) {
	start := time.Now()
	for {
		p, err := l.reserve(ctx, shard, lead, asTheyCome, start)
		full, ok := errors.AsType[*NoRoomError](err)
		if !ok {
			return p, err
		}
		// Whoever waits for a shard's room must not hold up the other shards.
		wait := full.Until.Sub(l.clock.read()) - lead
		if wait > soon {
			return nil, err
		}
		if err := sleep(ctx, max(time.Millisecond, wait), nil); err != nil {
			return nil, err
		}
	}
}

// reserve reserves a permit on behalf of somebody who has waited since start. For
// anyShard it waits as long as no shard has room, and its only error is the
// context's cause.
func (l *Lane) reserve(ctx context.Context, shard int, lead time.Duration, place place, start time.Time) (*Permit, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := l.inFlight.take(ctx, place); err != nil {
		return nil, err
	}
	l.demand.begin(lead)
	p, err := l.reserveInTurn(ctx, shard, lead, place)
	l.demand.end(p != nil)
	if err != nil {
		l.inFlight.giveBack()
		return nil, err
	}
	l.metrics.permitWait.Observe(time.Since(start).Seconds())
	l.metrics.inFlight.Set(float64(l.inFlight.taken()))
	return p, nil
}

func (l *Lane) reserveInTurn(ctx context.Context, shard int, lead time.Duration, place place) (*Permit, error) {
	if err := l.turn.take(ctx, place); err != nil {
		return nil, err
	}
	defer l.turn.giveBack()
	for {
		pass, err := l.enter(ctx)
		if err != nil {
			return nil, err
		}
		p, wait, changed, err := l.try(pass, shard, lead)
		if p != nil {
			return p, nil
		}
		pass.Release()
		if err == nil {
			err = l.await(ctx, wait, changed)
		}
		if err != nil {
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
		if err = l.check(ctx); err == nil {
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
// changed is closed; a wait of 0 means until changed. Its error is a
// *NoRoomError.
func (l *Lane) try(pass Pass, shard int, lead time.Duration) (p *Permit, wait time.Duration, changed <-chan struct{}, err error) {
	c, wait, changed, err := l.candidate(shard, lead)
	if err != nil || c.at.IsZero() {
		return nil, wait, changed, err
	}
	leaves := c.at
	if c.slot.sooner {
		leaves = c.found
	}
	if wait := c.at.Sub(c.found) - c.ahead; wait > 0 {
		return nil, wait, changed, nil
	}
	done, wait, woken := l.breaker.try()
	if done == nil {
		return nil, wait, woken, nil
	}
	charged, wait, ok := l.obtain(c, leaves)
	if !ok {
		done(errNoEvidence)
		return nil, wait, changed, nil
	}
	return &Permit{At: c.at, lane: l, slot: c.slot, setting: c.setting, charged: charged, shard: c.shard, pass: pass, done: done}, 0, nil, nil
}

// candidate is a slot, and the shard that its call would be charged to.
type candidate struct {
	found time.Time // when it was
	at    time.Time
	slot  slot // zero without a timetable
	// setting is the clock's when it was found.
	setting setting
	shard   int           // anyShard for a call of no request if none is charged
	ahead   time.Duration // how long before its slot the permit is handed out
	part    float64       // how much of the timetable is ours, 0 to 1
}

// candidate returns the first slot at least lead from now that is free and that
// the shard has room for, without taking it; without a limit it is now. A zero time
// means that there is none before the wait is over, or changed closed; its error is
// a *NoRoomError.
func (l *Lane) candidate(shard int, lead time.Duration) (c candidate, wait time.Duration, changed <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, wall := l.readLocked()
	if l.quota.table.pace.perSecond == 0 {
		return candidate{found: now, at: now, shard: shard, part: 1}, 0, l.changed, nil
	}
	earliest := wall.Add(lead)
	s, again, ok := l.quota.next(wall, lead)
	if !ok {
		if !again.IsZero() {
			wait = again.Sub(earliest)
		}
		return candidate{}, wait, l.changed, nil
	}
	c = candidate{
		found: now, at: reading(now, s.begin), slot: s, setting: l.clock.setting,
		shard: shard, ahead: lead + early, part: l.quota.table.part(),
	}
	if s.sooner {
		c.ahead = l.quota.reach(s)
	}
	var calls int
	var from time.Time
	if shard == anyShard {
		c.shard, calls, from = l.quota.roomiest(s.begin)
	} else {
		calls, from = l.quota.room(shard, s.begin)
	}
	switch {
	case calls > 0:
		return c, 0, l.changed, nil
	case shard == anyShard:
		return candidate{}, from.Sub(earliest), l.changed, nil
	}
	return candidate{}, 0, nil, &NoRoomError{Until: reading(now, from)}
}

// obtain takes a candidate for a request that leaves then, if the ceiling allows it.
// Otherwise wait is for how long not to ask again, or less if the lane changes.
func (l *Lane) obtain(c candidate, leaves time.Time) (charged *counts, wait time.Duration, ok bool) {
	if again, ok := l.ceiling.allow(leaves, c.slot.perSecond, c.part); !ok {
		return nil, max(time.Millisecond, again.Sub(leaves)), false
	}
	if charged, ok = l.take(c); !ok {
		return nil, time.Millisecond, false
	}
	return charged, 0, true
}

// take takes a candidate, false if a call that was too late for its own slot has
// taken it, or it is too far ahead by now: the shards may be about to leave, and Keep
// has not told of it. Since it was found, its room can have become less only by a call
// that a former owner's late claim told of.
func (l *Lane) take(c candidate) (charged *counts, ok bool) {
	if c.slot == (slot{}) {
		return nil, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, wall := l.readLocked()
	if c.setting != l.clock.setting || !l.quota.isFree(c.slot) || c.slot.sooner && c.at.Sub(now) > l.quota.reach(c.slot) {
		return nil, false
	}
	return l.quota.take(c.slot, c.shard, wall), true
}

// owns says whether a slot that was handed out is still ours, and the clock is set as
// it was then.
func (l *Lane) owns(s slot, of setting) bool {
	if s == (slot{}) {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readLocked()
	return of == l.clock.setting && l.quota.holds(s)
}

// wait sleeps until the call may be made. ErrMissed says that it is too late, or
// that since the permit was given the vendor asked for fewer calls, the lane was shut, the
// breaker opened, the slot's shard moved, or the clock was set.
func (p *Permit) wait(ctx context.Context) error {
	if d := p.At.Sub(p.lane.clock.read()); d > 0 && !p.slot.sooner {
		if err := sleep(ctx, d, nil); err != nil {
			return err
		}
	}
	if p.slot != (slot{}) && p.lane.clock.read().Sub(p.At) > Lateness {
		p.lane.metrics.missed.Inc()
		return ErrMissed
	}
	if p.lane.ceiling.blocks(p.lane.clock.read()) {
		return ErrMissed
	}
	if !p.pass.probe && p.lane.valve.Fault() != nil || p.lane.breaker.state() == BreakerOpen || !p.lane.owns(p.slot, p.setting) {
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
		p.lane.inFlight.giveBack()
	})
}

// free gives back the slot of a call that was not made, and its charge.
func (l *Lane) free(p *Permit) {
	if p.slot == (slot{}) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, wall := l.readLocked()
	if p.setting == l.clock.setting {
		l.quota.giveBack(p.slot, p.charged, wall)
	} else { // the slot is no longer where it was
		p.charged.remove(l.begin(p))
	}
	if p.charged != nil {
		l.changedLocked() // somebody may wait for room
	}
}

// begin is when a permit's slot begins, by the clock as it is set now. The caller holds
// mu.
func (l *Lane) begin(p *Permit) time.Time {
	return p.slot.begin.Add(l.clock.setting.total - p.setting.total)
}

// end uses the permit up and tells breaker, valve and ceiling how the call ended.
func (p *Permit) end(err error, elapsed time.Duration) {
	p.once.Do(func() {
		l := p.lane
		l.breaker.end(p.done, err, elapsed)
		fault, _ := errors.AsType[*Error](err)
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
		l.inFlight.giveBack()
		l.metrics.ended(err, elapsed, l.ceiling.rate(), l.inFlight.taken())
	})
}
