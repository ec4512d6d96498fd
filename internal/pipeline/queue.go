package pipeline

import (
	"context"
	"sync"
	"time"
)

// The ranks of requests, lowest first.
const (
	rankBulk = iota
	rankPriority
	// rankUnsettled: an owner before us began the request. What became of it is
	// found out first, and while the vendor is paused, too: it takes no call to
	// publish an answer that is there.
	rankUnsettled
	ranks
)

// queue holds the requests that are ready for one vendor: by rank, those of one
// rank shared fairly among campaigns, and never two of one subject at once. It is
// safe for concurrent use. Its length is bounded by what shards may have open.
type queue struct {
	mu    sync.Mutex   // guards what follows
	ready [ranks]*fair // the highest goes first
	shut  bool         // only what is to be settled is handed out
	// takenBack says which requests are to end without a call, and are not taken
	// in; nil: none. It is asked with the queue locked.
	takenBack func(*item) bool
	// subjects has an entry for each subject that is ready or under way;
	// its value are those that wait for it.
	subjects map[string][]*item
	stalls   *stalls       // of shards whose share of a limit is used up; nil where none is counted
	more     chan struct{} // holds a token while there may be something ready
}

// newQueue returns an empty queue. weight says what a campaign's share is
// proportional to; it is called with the queue locked.
func newQueue(weight func(campaign string) float64) *queue {
	q := &queue{subjects: map[string][]*item{}, more: make(chan struct{}, 1)}
	for rank := range q.ready {
		q.ready[rank] = newFair(weight)
	}
	return q
}

// push adds a request. It is ready once no other one of its subject is before it.
// False says that it was not added: it is taken back.
func (q *queue) push(it *item) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.takenBack != nil && q.takenBack(it) {
		return false
	}
	subject := it.request.Subject()
	if waiting, busy := q.subjects[subject]; busy {
		q.subjects[subject] = append(waiting, it)
		return true
	}
	q.subjects[subject] = nil
	q.readyLocked(it)
	return true
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
		if err := q.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// wait waits until something may be ready; its error is the context's cause.
func (q *queue) wait(ctx context.Context) error {
	q.mu.Lock()
	due := q.stalls.due()
	q.mu.Unlock()
	var room <-chan time.Time
	if !due.IsZero() {
		timer := time.NewTimer(time.Until(due))
		defer timer.Stop()
		room = timer.C
	}
	select {
	case <-q.more:
	case <-room:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// prepared says that a request that was popped takes no more room than it has
// taken.
func (q *queue) prepared(it *item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stalls == nil {
		return
	}
	if q.stalls.preparing[it.shard.id]--; q.stalls.preparing[it.shard.id] == 0 {
		delete(q.stalls.preparing, it.shard.id)
	}
	q.signal()
}

// tryPop returns the next request, nil if none is ready. Whoever gets it owes a
// call of prepared, too.
func (q *queue) tryPop() *item {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for {
		stalled := q.stalls.len()
		q.stalls.resume(now, func(it *item) { q.ready[it.rank()].push(it) })
		if it := q.popReadyLocked(now); it != nil {
			return it
		}
		if q.stalls.len() >= stalled {
			return nil
		}
		// All that there was room for is frozen: let others have it.
	}
}

// popReadyLocked is tryPop without what is stalled.
func (q *queue) popReadyLocked(now time.Time) *item {
	for rank := ranks - 1; rank >= 0; rank-- {
		if q.shut && rank < rankUnsettled {
			return nil
		}
		for it := q.ready[rank].pop(); it != nil; it = q.ready[rank].pop() {
			if q.stalls.stall(it, now) {
				continue
			}
			if q.stalls != nil {
				q.stalls.preparing[it.shard.id]++
			}
			q.signal() // for whoever else waits
			return it
		}
	}
	return nil
}

// setShut keeps all requests but those that are to be settled, or hands them out
// again.
func (q *queue) setShut(shut bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.shut = shut
	q.signal()
}

// freezeWhile keeps a campaign's requests until thaw, but for those that are to be
// settled, if paused says so. It is asked with the queue locked, so that a thaw
// that comes after what it says comes after the freezing, too.
func (q *queue) freezeWhile(paused func(campaign string) bool, campaign string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !paused(campaign) {
		return
	}
	q.ready[rankBulk].freeze(campaign)
	q.ready[rankPriority].freeze(campaign)
}

// thaw hands out the requests of all campaigns again.
func (q *queue) thaw() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range q.ready {
		f.thaw()
	}
	q.signal()
}

// reweigh follows a change of weights at once.
func (q *queue) reweigh() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range q.ready {
		f.reweigh()
	}
	q.stalls.reweigh()
}

// release ends a request's turn: the next one of its subject becomes ready.
func (q *queue) release(it *item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.releaseLocked(it)
	if q.stalls != nil {
		q.signal() // a permit that was given back leaves room
	}
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
func (q *queue) drop(s *shard) []*item {
	return q.remove(func(it *item) bool { return it.shard == s })
}

// recall removes the requests that are taken back and have not been popped, and
// returns them.
func (q *queue) recall() []*item { return q.remove(q.takenBack) }

// remove removes the requests that match and have not been popped, and returns
// them.
func (q *queue) remove(match func(*item) bool) (removed []*item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for subject, waiting := range q.subjects {
		kept := waiting[:0]
		for _, it := range waiting {
			if match(it) {
				removed = append(removed, it)
			} else {
				kept = append(kept, it)
			}
		}
		clear(waiting[len(kept):])
		q.subjects[subject] = kept
	}
	turns := q.stalls.remove(match)
	for rank := range q.ready {
		turns = append(turns, q.ready[rank].remove(match)...)
	}
	for _, it := range turns {
		q.releaseLocked(it)
	}
	return append(removed, turns...)
}

// len returns how many requests are ready, not counting those that wait for
// another one of their subject.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.stalls.len()
	for _, f := range q.ready {
		n += f.len()
	}
	return n
}
