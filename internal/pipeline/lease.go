package pipeline

import (
	"context"
	"sync"
	"time"
)

// lease says until when this replica may make calls for the shards it owns.
// Within a generation there is no end. Between two, nobody else can own our
// shards before the group's timeouts have passed, so work goes on until shortly
// before. The zero value is held without end.
type lease struct {
	mu      sync.Mutex
	until   time.Time     // zero: no end
	renewed chan struct{} // closed at the next renewal; nil if nobody waits
}

// suspend sets the end.
func (l *lease) suspend(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = until
}

// renew takes the end away.
func (l *lease) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Time{}
	if l.renewed != nil {
		close(l.renewed)
		l.renewed = nil
	}
}

// held says whether a call may be made now.
func (l *lease) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until.IsZero() || time.Now().Before(l.until)
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
