package pipeline

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"reauth/internal/ledger"
)

// waiter is a request that waits for a time, or for news. There can be a great
// many of those that live in the ledger, so they are unpacked only when they
// are due.
type waiter struct {
	due   time.Time
	shard *shard
	// it is the request at work; nil for one that lives in the ledger, as
	// entry.
	it    *item
	entry *ledger.Entry
	// unsettled: an owner before us claimed or answered entry.
	unsettled bool
	// held: an order holds the request back, or did when it was parked.
	held bool
	// capped is the cap that holds the request back.
	capped spendCap
	// awaited: the request is to go on as its vendor said, and has not failed.
	awaited bool
	// expects is the news that wakes the waiter, nil if none does.
	expects *expected

	index int // in the heap
}

// expected is news of a vendor's reference that comes after since, when the
// vendor was last asked.
type expected struct {
	reference string
	since     time.Time
}

// parking keeps waiters until they are due, holding no worker. It is safe for
// concurrent use.
type parking struct {
	// takenBack says which waiters are to end without a call: they are due at once.
	// It is asked with the parking locked.
	takenBack func(*waiter) bool

	mu     sync.Mutex // guards what follows
	parked dueHeap
	awaits map[string]*waiter // by reference
	news   *recent[int64]     // when there was news, in Unix nanoseconds
	held   int                // waiters
	freed  int                // how often held waiters were released
	capped waitersByCap       // waiters
	sooner chan struct{}      // holds a token when the first due time may have changed
}

// newsKept bounds the references of which there was news that are remembered: some
// minutes' worth at the highest rates in use.
const newsKept = 1 << 14

func newParking(takenBack func(*waiter) bool) *parking {
	return &parking{takenBack: takenBack, awaits: map[string]*waiter{}, news: newRecent[int64](newsKept), sooner: make(chan struct{}, 1)}
}

// park keeps a waiter until it is due, or there is news of it.
func (p *parking) park(w waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x := w.expects; x != nil {
		if at, known := p.news.get(x.reference); known && time.Unix(0, at).After(x.since) {
			w.due = time.Now()
		}
		p.awaits[x.reference] = &w
	}
	p.addLocked(&w)
}

func (p *parking) addLocked(w *waiter) {
	if now := time.Now(); w.due.After(now) && p.takenBack(w) {
		w.due = now
	}
	if w.held {
		p.held++
	}
	p.capped[w.capped]++
	heap.Push(&p.parked, w)
	p.hurry()
}

// wake makes the waiter with the reference due, now or when it comes to be
// parked: news can be faster than the answer that it is about.
func (p *parking) wake(reference string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.news.add(reference, now.UnixNano())
	if w := p.awaits[reference]; w != nil && w.due.After(now) {
		w.due = now
		heap.Fix(&p.parked, w.index)
		p.hurry()
	}
}

// hold parks a waiter that an order holds back, as was found out when released
// returned seen. No news wakes it: release will.
func (p *parking) hold(w waiter, seen int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.freed != seen {
		w.due = time.Now()
	}
	w.held = true
	p.addLocked(&w)
}

// release makes all waiters due that orders hold back: one has been taken back.
func (p *parking) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.freed++
	if p.held == 0 {
		return
	}
	now := time.Now()
	for _, w := range p.parked {
		if w.held && w.due.After(now) {
			w.due = now
		}
	}
	heap.Init(&p.parked)
	p.hurry()
}

// recall makes all waiters due that are taken back.
func (p *parking) recall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, w := range p.parked {
		if w.due.After(now) && p.takenBack(w) {
			w.due = now
		}
	}
	heap.Init(&p.parked)
	p.hurry()
}

// released returns how often release was called.
func (p *parking) released() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.freed
}

// countHeld returns how many waiters orders hold back.
func (p *parking) countHeld() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// countCapped returns how many waiters caps hold back.
func (p *parking) countCapped() int {
	by := p.cappedBy()
	return by[dayCap] + by[campaignCap]
}

// cappedBy returns how many waiters each cap holds back.
func (p *parking) cappedBy() waitersByCap {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.capped
}

// hurry says that the first due time may have changed.
func (p *parking) hurry() {
	select {
	case p.sooner <- struct{}{}:
	default:
	}
}

// run hands each waiter to unpark when it is due, until the context ends.
func (p *parking) run(ctx context.Context, unpark func(waiter)) {
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
			unpark(w)
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
	w := heap.Pop(&p.parked).(*waiter)
	p.left(w)
	return *w, true
}

// left notes that a waiter is not parked any more: no news and no order wakes it.
func (p *parking) left(w *waiter) {
	if x := w.expects; x != nil && p.awaits[x.reference] == w {
		delete(p.awaits, x.reference)
	}
	if w.held {
		p.held--
	}
	p.capped[w.capped]--
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
		if w.shard != s {
			w.index = len(kept)
			kept = append(kept, w)
			continue
		}
		p.left(w)
		if w.it != nil {
			dropped = append(dropped, w.it)
		}
	}
	clear(p.parked[len(kept):])
	p.parked = kept
	heap.Init(&p.parked)
	return dropped
}

// len returns how many requests are parked, and how many of them wait for news.
func (p *parking) len() (all, awaiting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.parked), len(p.awaits)
}

// dueHeap orders waiters by due time.
type dueHeap []*waiter

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *dueHeap) Push(x any) {
	w := x.(*waiter)
	w.index = len(*h)
	*h = append(*h, w)
}

func (h *dueHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return w
}
