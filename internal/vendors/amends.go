package vendors

import (
	"context"
	"slices"
	"time"
)

// amends are what is owed for calls that left late, all the same. A call still on its
// way when a window begins is in that window on top of the window's own slots; a slot
// of that window left unused makes up for it. Each entry is until when that helps, in
// order.
type amends []time.Time

// bearable is how late for its slot a call may leave and nothing is owed: half of
// what the headroom pays for. The other half is for what nobody here sees, the
// clocks and the way to the vendor's counter.
func (l limits) bearable() time.Duration {
	return max(Lateness, time.Duration(l.headroom*float64(l.over))/2)
}

// sent notes that the call left of a slot that begins at a time, and says whether it was
// late. The longer windows then count it from now on.
func (q *quota) sent(begin time.Time, c *counts, now time.Time) (late bool) {
	if now.Sub(begin) <= q.limits.bearable() {
		return false
	}
	c.move(begin, now)
	until := now.Add(q.limits.over)
	if !q.sooner.spend(now, until) {
		q.amends = append(slices.DeleteFunc(q.amends, func(t time.Time) bool { return !t.After(now) }), until)
	}
	return true
}

// skip says whether a free slot is to be left unused; if so, it is no longer free.
func (q *quota) skip(s slot) bool {
	owed := q.amend(s.begin)
	if owed {
		q.occupy(s)
	}
	return owed
}

// amend says whether a slot that begins then and is not used makes up for a call that
// left late; if so, that is no longer owed.
func (q *quota) amend(begin time.Time) bool {
	for i, until := range q.amends {
		if begin.Before(until) {
			owed := !begin.Before(until.Add(-q.limits.over)) // since the call left
			if owed {
				q.amends = slices.Delete(q.amends, i, i+1)
			}
			return owed
		}
	}
	return false
}

// move takes another slot for a call that is late for its own, which began at a time,
// before it leaves, as one that had to connect first. If it left all the same, and so did
// all others that waited for a connection, they could be more than a window allows.
func (q *quota) move(from time.Time, to slot, c *counts) {
	q.occupy(to)
	c.move(from, to.begin)
}

// leaving is the context's key for the *Permit of the request that Exchange sends:
// it is held when it is connected, and has left with its headers.
type leaving struct{}

// watch returns a context for the permit's exchange with the vendor.
func (p *Permit) watch(ctx context.Context) context.Context {
	if p.slot == (slot{}) {
		return ctx
	}
	return context.WithValue(ctx, leaving{}, p)
}

// hold waits until a request that is connected may leave: at once, or in another slot
// if it is too late for its own. It is not to leave after an error.
func (p *Permit) hold(ctx context.Context) error {
	for {
		wait, err := p.lane.hold(ctx, p)
		if wait == 0 || err != nil {
			return err
		}
		if err := sleep(ctx, wait, nil); err != nil {
			return err
		}
	}
}

// hold returns how long a permit's request waits before it is looked at again, 0 if
// it may leave: not if the clock was set since it had its slot. ErrMissed says that there
// is no slot for it before ctx's deadline, or that it may not leave in that (OnLate).
func (l *Lane) hold(ctx context.Context, p *Permit) (wait time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, wall := l.readLocked()
	onTime := p.setting == l.clock.setting && wall.Sub(p.slot.begin) <= l.quota.limits.bearable()
	if onTime && (!p.moved || l.quota.holds(p.slot) && l.mayLate(p.At, now)) {
		return 0, nil
	}
	if !p.moved {
		l.metrics.late.Inc()
	}
	s, _, ok := l.quota.next(wall, 0)
	leaves := reading(now, s.begin)
	if end, ends := ctx.Deadline(); !ok || ends && leaves.After(end) || !l.mayLate(p.At, leaves) {
		return 0, ErrMissed
	}
	s.sooner = s.sooner && s.begin.Sub(wall) <= l.quota.reach(s)
	l.quota.move(l.begin(p), s, p.charged)
	p.slot, p.setting, p.moved = s, l.clock.setting, true
	if s.sooner {
		return 0, nil
	}
	return max(1, s.begin.Sub(wall)), nil
}

// left notes that a permit's request has left.
func (p *Permit) left() {
	p.leaves.Do(func() { p.lane.sent(p) })
}

// unwatched is for requests beside the one that a permit is for, as for a token.
func unwatched(ctx context.Context) context.Context {
	return context.WithValue(ctx, leaving{}, nil)
}

func (l *Lane) sent(p *Permit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, wall := l.readLocked()
	if l.quota.sent(l.begin(p), p.charged, wall) {
		l.metrics.late.Inc()
	}
}
