package pipeline

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// parking keeps requests that wait for a time, holding no worker. It is safe
// for concurrent use.
type parking struct {
	mu     sync.Mutex
	parked dueHeap
	sooner chan struct{} // holds a token when the first due time may have changed
}

func newParking() *parking { return &parking{sooner: make(chan struct{}, 1)} }

// park keeps a request until due.
func (p *parking) park(it *item, due time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	it.due = due
	heap.Push(&p.parked, it)
	select {
	case p.sooner <- struct{}{}:
	default:
	}
}

// run hands each request to wake when it is due, until the context ends.
func (p *parking) run(ctx context.Context, wake func(*item)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.sooner:
		}
		for it := p.takeDue(); it != nil; it = p.takeDue() {
			wake(it)
		}
		if due, ok := p.firstDue(); ok {
			timer.Reset(time.Until(due))
		}
	}
}

func (p *parking) takeDue() *item {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.parked) == 0 || time.Now().Before(p.parked[0].due) {
		return nil
	}
	return heap.Pop(&p.parked).(*item)
}

func (p *parking) firstDue() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.parked) == 0 {
		return time.Time{}, false
	}
	return p.parked[0].due, true
}

// drop removes a shard's requests and returns them.
func (p *parking) drop(s *shard) (dropped []*item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.parked[:0]
	for _, it := range p.parked {
		if it.shard == s {
			dropped = append(dropped, it)
		} else {
			kept = append(kept, it)
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

// dueHeap orders requests by due time.
type dueHeap []*item

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(*item)) }
func (h *dueHeap) Pop() any {
	old := *h
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return it
}
