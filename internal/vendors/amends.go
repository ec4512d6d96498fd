package vendors

import (
	"context"
	"sync"
	"time"
)

// amends are what is owed for calls that left late. A call still on its way when
// a window begins, as one that had to connect first, is in that window on top of
// the window's own slots; a slot of that window left unused makes up for it. Each
// entry is until when that helps, in order.
type amends []time.Time

// bearable is how late for its slot a call may leave and nothing is owed: half of
// what the headroom pays for. The other half is for what nobody here sees, the
// clocks and the way to the vendor's counter.
func (l limits) bearable() time.Duration {
	return max(Lateness, time.Duration(l.headroom*float64(l.over))/2)
}

// sent notes that the call of a slot left, and says whether it was late. The
// longer windows then count it from now on.
func (q *quota) sent(s slot, c *counts, now time.Time) (late bool) {
	if now.Sub(s.begin) <= q.limits.bearable() {
		return false
	}
	if c != nil {
		for i := range c.windows {
			c.windows[i].remove(s.begin)
			c.windows[i].add(now)
		}
	}
	q.amends = append(q.amends, now.Add(q.limits.over))
	return true
}

// skip says whether a free slot is to be left unused; if so, it is no longer free.
func (q *quota) skip(s slot) bool {
	for len(q.amends) > 0 {
		until := q.amends[0]
		q.amends = q.amends[1:]
		if s.begin.Before(until) {
			q.occupy(s)
			return true
		}
	}
	return false
}

// leaving is the context's key for what Exchange is to call, as a func(), once it is
// connected and has the headers of a request written.
type leaving struct{}

// watch returns a context for the permit's exchange with the vendor that tells
// when it leaves.
func (p *Permit) watch(ctx context.Context) context.Context {
	if p.slot == (slot{}) {
		return ctx
	}
	var once sync.Once
	return context.WithValue(ctx, leaving{}, func() {
		once.Do(func() { p.lane.sent(p.slot, p.charged) })
	})
}

// unwatched is for requests beside the one that a permit is for, as for a token.
func unwatched(ctx context.Context) context.Context {
	return context.WithValue(ctx, leaving{}, nil)
}

func (l *Lane) sent(s slot, c *counts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quota.sent(s, c, time.Now()) {
		l.metrics.late.Inc()
	}
}
