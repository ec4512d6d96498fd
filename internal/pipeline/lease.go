package pipeline

import (
	"context"
	"sync"
	"time"
)

// lease says until when this replica may make calls for the shards it owns.
// Within a generation it lasts as long as the coordinator would wait for our next sign
// of life, and each moves the end: a process that stood still for longer finds it
// ended. Between two, nobody else can own our shards before the group's timeouts have
// passed, so work goes on until shortly before. The zero value is held without end.
type lease struct {
	mu        sync.Mutex
	until     time.Time     // that a generation's end sets; zero: no end
	sustained time.Time     // the same of the last sign of life
	renewed   chan struct{} // closed when an end moves; nil if nobody waits
}

// suspend sets the end.
func (l *lease) suspend(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = until
}

// renew takes the end away that suspend has set.
func (l *lease) renew(sustained time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Time{}
	l.sustainLocked(sustained)
}

// sustain moves the end that comes if nothing more is heard.
func (l *lease) sustain(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sustainLocked(until)
}

func (l *lease) sustainLocked(until time.Time) {
	l.sustained = until
	if l.renewed != nil {
		close(l.renewed)
		l.renewed = nil
	}
}

// held says whether a call may be made now.
func (l *lease) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	return (l.until.IsZero() || before(now, l.until)) && (l.sustained.IsZero() || before(now, l.sustained))
}

// before says whether a reading of time.Now is before a limit made of another, by the
// monotonic clock and by the wall clock. If a clock was set meanwhile, the former is
// right; if the machine stood still, perhaps only the latter. Whoever may act until the
// limit does so no longer than either allows.
func before(now, limit time.Time) bool {
	return now.Before(limit) && now.Round(0).Before(limit.Round(0))
}

// surely returns until when nobody else can gain a shard, whatever happens; zero if
// somebody may any time, or that is not known.
func (l *lease) surely() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.until.IsZero() {
		return time.Time{}
	}
	return l.sustained
}

// wait returns once the lease is held; its error is the context's cause.
func (l *lease) wait(ctx context.Context) error {
	for {
		if l.held() {
			return nil
		}
		l.mu.Lock()
		if l.renewed == nil {
			l.renewed = make(chan struct{})
		}
		renewed := l.renewed
		l.mu.Unlock()
		select {
		case <-renewed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
