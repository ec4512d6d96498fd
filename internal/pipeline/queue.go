package pipeline

import (
	"context"
	"sync"
)

// queue holds the requests that are ready for one vendor: those of the priority
// topic first, then by arrival, and never two of one subject at once. It is
// safe for concurrent use. Its length is bounded by what shards may have open.
type queue struct {
	mu    sync.Mutex
	ready [2]fifo // by priority: [1] goes first
	// subjects has an entry for each subject that is ready or under way;
	// its value are those that wait for it.
	subjects map[string][]*item
	more     chan struct{} // holds a token while there may be something ready
}

func newQueue() *queue {
	return &queue{subjects: map[string][]*item{}, more: make(chan struct{}, 1)}
}

// push adds a request. It is ready once no other one of its subject is before it.
func (q *queue) push(it *item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	subject := it.request.Subject()
	if waiting, busy := q.subjects[subject]; busy {
		q.subjects[subject] = append(waiting, it)
		return
	}
	q.subjects[subject] = nil
	q.readyLocked(it)
}

func (q *queue) readyLocked(it *item) {
	q.ready[it.rank()].push(it)
	q.signal()
}

// signal says that something may be ready.
func (q *queue) signal() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// pop waits for the next request. Whoever gets it owes a call of release. Its
// error is the context's cause.
func (q *queue) pop(ctx context.Context) (*item, error) {
	for {
		if it := q.tryPop(); it != nil {
			return it, nil
		}
		select {
		case <-q.more:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (q *queue) tryPop() *item {
	q.mu.Lock()
	defer q.mu.Unlock()
	for rank := len(q.ready) - 1; rank >= 0; rank-- {
		if it := q.ready[rank].pop(); it != nil {
			q.signal() // for whoever else waits
			return it
		}
	}
	return nil
}

// release ends a request's turn: the next one of its subject becomes ready.
func (q *queue) release(it *item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.releaseLocked(it)
}

func (q *queue) releaseLocked(it *item) {
	subject := it.request.Subject()
	waiting := q.subjects[subject]
	if len(waiting) == 0 {
		delete(q.subjects, subject)
		return
	}
	q.subjects[subject] = waiting[1:]
	q.readyLocked(waiting[0])
}

// drop removes all of a shard's requests that have not been popped and returns them.
func (q *queue) drop(s *shard) (dropped []*item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for subject, waiting := range q.subjects {
		kept := waiting[:0]
		for _, it := range waiting {
			if it.shard == s {
				dropped = append(dropped, it)
			} else {
				kept = append(kept, it)
			}
		}
		clear(waiting[len(kept):])
		q.subjects[subject] = kept
	}
	for rank := range q.ready {
		for _, it := range q.ready[rank].remove(s) {
			dropped = append(dropped, it)
			q.releaseLocked(it)
		}
	}
	return dropped
}

// len returns how many requests are ready, not counting those that wait for
// another one of their subject.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ready[0].len() + q.ready[1].len()
}

// fifo is a queue over a slice that gives room back as it goes.
type fifo struct {
	items []*item
	head  int
}

func (f *fifo) len() int { return len(f.items) - f.head }

func (f *fifo) push(it *item) { f.items = append(f.items, it) }

func (f *fifo) pop() *item {
	if f.len() == 0 {
		return nil
	}
	it := f.items[f.head]
	f.items[f.head] = nil
	f.head++
	if f.head > 64 && f.head > len(f.items)/2 {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	return it
}

// remove takes out a shard's requests and returns them.
func (f *fifo) remove(s *shard) (removed []*item) {
	kept := f.items[:0]
	for _, it := range f.items[f.head:] {
		if it.shard == s {
			removed = append(removed, it)
		} else {
			kept = append(kept, it)
		}
	}
	clear(f.items[len(kept):])
	f.items, f.head = kept, 0
	return removed
}
