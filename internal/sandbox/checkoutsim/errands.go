package checkoutsim

import (
	"context"
	"sync"
	"time"
)

// errands are things done by themselves: at some time, or in the background. All
// end at close. Its methods may be used by many goroutines at once.
type errands struct {
	ctx    context.Context
	cancel context.CancelFunc
	// running counts what is being done.
	running sync.WaitGroup

	// mu guards the rest. Once closed is set nothing begins any more.
	mu     sync.Mutex
	closed bool
	timers map[*time.Timer]struct{}
}

func newErrands() *errands {
	ctx, cancel := context.WithCancel(context.Background())
	return &errands{ctx: ctx, cancel: cancel, timers: map[*time.Timer]struct{}{}}
}

// after does something when d has passed.
func (e *errands) after(d time.Duration, do func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		e.mu.Lock()
		delete(e.timers, timer)
		if e.closed {
			e.mu.Unlock()
			return
		}
		e.running.Add(1)
		e.mu.Unlock()
		defer e.running.Done()
		do()
	})
	e.timers[timer] = struct{}{}
}

// run does something in the background, which is to end with its context.
func (e *errands) run(do func(context.Context)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.running.Go(func() { do(e.ctx) })
}

// close lets nothing begin any more and waits for what is being done. No lock
// may be held that that may need.
func (e *errands) close() {
	e.mu.Lock()
	e.closed = true
	for timer := range e.timers {
		timer.Stop()
	}
	clear(e.timers)
	e.mu.Unlock()
	e.cancel()
	e.running.Wait()
}
