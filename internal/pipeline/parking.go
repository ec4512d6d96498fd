package pipeline

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"reauth/internal/ledger"
)

// waiter is a request that waits for a time. There can be a great many of those
// that live in the ledger, so they are unpacked only when they are due.
type waiter struct {
	due   time.Time
	shard *shard
	// it is the request at work; nil for one that lives in the ledger, as
	// entry.
	it    *item
	entry *ledger.Entry
	// unsettled: an owner before us claimed or answered entry.
	unsettled bool
}

// parking keeps waiters until they are due, holding no worker. It is safe for
// concurrent use.
type parking struct {
	mu     sync.Mutex
	parked dueHeap
	sooner chan struct{} // holds a token when the first due time may have changed
}

func newParking() *parking { return &parking{sooner: make(chan struct{}, 1)} }

// park keeps a waiter until it is due.
func (p *parking) park(w waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	heap.Push(&p.parked, w)
	select {
	case p.sooner <- struct{}{}:
	default:
	}
}

// run hands each waiter to wake when it is due, until the context ends.
func (p *parking) run(ctx context.Context, wake func(waiter)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.sooner:
		}
		for w, ok := p.takeDue(); ok; w, ok = p.takeDue() {
			wake(w)
		}
		if due, ok := p.firstDue(); ok {
			timer.Reset(time.Until(due))
		}
	}
}

func (p *parking) takeDue() (waiter, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.parked) == 0 || time.Now().Before(p.parked[0].due) {
		return waiter{}, false
	}
	return heap.Pop(&p.parked).(waiter), true
}

func (p *parking) firstDue() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.parked) == 0 {
		return time.Time{}, false
	}
	return p.parked[0].due, true
}

// drop removes a shard's waiters and returns those that are at work.
func (p *parking) drop(s *shard) (dropped []*item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.parked[:0]
	for _, w := range p.parked {
		switch {
		case w.shard != s:
			kept = append(kept, w)
		case w.it != nil:
			dropped = append(dropped, w.it)
		}
	}
	clear(p.parked[len(kept):])
	p.parked = kept
	heap.Init(&p.parked)
	return dropped
}

// len returns how many requests are parked.
func (p *parking) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.parked)
}

// dueHeap orders waiters by due time.
type dueHeap []waiter

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(waiter)) }
func (h *dueHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = waiter{}
	*h = old[:len(old)-1]
	return w
}
