package pipeline

import (
	"context"
	"errors"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// Upstream takes requests back by an order: single ones, whenever their records
// were or will be written, or those of a campaign whose records were written by
// then. What has not been called yet ends as withdrawn, wherever it is: on its way
// to a call, queued, parked, or not read. A request whose call was made, or may have
// been, goes on to its verdict: the person may have been judged, and it is paid for.
//
// Whoever puts a request down looks whether it is taken back, under the lock of the
// place, and an order is known before the places are searched: so none is missed.

// errWithdrawn: upstream has taken the request back.
var errWithdrawn = errors.New("withdrawn by upstream")

// withdrawnAtOnce bounds the requests that are being ended: each takes two writes,
// which many share.
const withdrawnAtOnce = 64

// withdrawals are what is taken back. A request id takes some 60 bytes for as long
// as its order lasts, that in the order included. It is safe for concurrent use.
type withdrawals struct {
	mu        sync.RWMutex          // guards what follows
	requests  map[ledger.ID]int64   // when the last order about it was issued, in Unix milliseconds
	campaigns map[string]time.Time  // the same
	latest    time.Time             // of campaigns, at least
	watched   map[*item]func(error) // ends the context of what is on its way to a call
}

func newWithdrawals() *withdrawals {
	return &withdrawals{requests: map[ledger.ID]int64{}, campaigns: map[string]time.Time{}, watched: map[*item]func(error){}}
}

// add takes in an order.
func (w *withdrawals) add(o ledger.Order) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range o.Requests {
		w.requests[id] = max(w.requests[id], o.IssuedAt.UnixMilli())
	}
	if o.Campaign != "" {
		w.campaigns[o.Campaign] = o.IssuedAt
		w.latest = latest(w.latest, o.IssuedAt)
	}
}

// forget drops what an order says, unless a later one says the same.
func (w *withdrawals) forget(o ledger.Order) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range o.Requests {
		if w.requests[id] == o.IssuedAt.UnixMilli() {
			delete(w.requests, id)
		}
	}
	if w.campaigns[o.Campaign].Equal(o.IssuedAt) {
		delete(w.campaigns, o.Campaign)
	}
}

// cover tells whether a request is taken back whose record was written at the time.
func (w *withdrawals) cover(id ledger.ID, campaign string, written time.Time) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.coverLocked(id, campaign, written)
}

func (w *withdrawals) coverLocked(id ledger.ID, campaign string, written time.Time) bool {
	if _, taken := w.requests[id]; taken {
		return true
	}
	issued, taken := w.campaigns[campaign]
	return taken && !written.After(issued)
}

// mayCover is cover for a request whose campaign is not known.
func (w *withdrawals) mayCover(id ledger.ID, written time.Time) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	_, taken := w.requests[id]
	return taken || len(w.campaigns) > 0 && !written.After(w.latest)
}

// watch returns a context that ends with ctx, or with errWithdrawn when an order
// comes that takes the request back. cancel frees what it takes.
func (w *withdrawals) watch(ctx context.Context, it *item) (_ context.Context, cancel func()) {
	ctx, end := context.WithCancelCause(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watched[it] = end
	return ctx, func() {
		w.mu.Lock()
		delete(w.watched, it)
		w.mu.Unlock()
		end(nil)
	}
}

// recall ends the contexts of what is taken back.
func (w *withdrawals) recall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for it, end := range w.watched {
		if w.coverLocked(it.entry.ID, it.request.CampaignID, it.record.Time) {
			end(errWithdrawn)
		}
	}
}

// hadItsTime tells whether an order is not acted on or kept any more.
func (c *Config) hadItsTime(o ledger.Order, now time.Time) bool {
	lasts := o.Lasts(c.Window, c.RequestsKept)
	return lasts > 0 && now.Sub(o.IssuedAt) > lasts
}

// isTakenBack tells whether an order takes the request back.
func (p *Pipeline) isTakenBack(it *item) bool {
	return p.orders.withdrawn.cover(it.entry.ID, it.request.CampaignID, it.record.Time)
}

// takenBack tells whether the request is to end as withdrawn now: it is taken back,
// and it is certain that no call of it was made that its vendor may have acted on.
func (p *Pipeline) takenBack(it *item) bool {
	return !it.unsettled && !it.begun() && p.isTakenBack(it)
}

// takenBackParked is takenBack for a waiter.
func (p *Pipeline) takenBackParked(w *waiter) bool {
	if w.it != nil {
		return w.it.entry != nil && p.takenBack(w.it)
	}
	w.shard.mu.Lock()
	original := w.entry.Original()
	w.shard.mu.Unlock()
	if original == nil || !p.orders.withdrawn.mayCover(w.entry.ID, original.Time) {
		return false
	}
	it, err := unpack(*w, p.cfg.Rules, p.cfg.Topics.Priority)
	return err == nil && p.takenBack(it)
}

// watch returns the context of an attempt up to its call: it ends with the shard's,
// or with errWithdrawn when the request is taken back. A request in doubt goes on.
// cancel frees what it takes.
func (p *Pipeline) watch(it *item) (_ context.Context, cancel func()) {
	if it.begun() {
		return it.shard.ctx, func() {}
	}
	return p.orders.withdrawn.watch(it.shard.ctx, it)
}

// recall ends what a new order takes back, wherever it is.
func (p *Pipeline) recall() {
	p.orders.withdrawn.recall()
	p.parking.recall()
	for _, l := range p.lines {
		if queued := l.queue.recall(); len(queued) > 0 {
			p.wg.Go(func() {
				for _, it := range queued {
					p.withdraw(it)
				}
			})
		}
	}
}

// enqueue queues a request, or ends it if it is taken back.
func (p *Pipeline) enqueue(it *item) {
	if !p.lines[it.request.Vendor].queue.push(it) {
		p.withdraw(it)
	}
}

// withdraw ends a request that is taken back: it needs neither its lane nor its
// turn. It waits while so many are being ended that their writes would pile up.
func (p *Pipeline) withdraw(it *item) {
	if !acquire(it.shard.ctx.Done(), p.withdrawing) {
		p.forget(it)
		return
	}
	p.wg.Go(func() {
		defer func() { <-p.withdrawing }()
		it.start(time.Now())
		p.answer(it, p.answerOf(it, conclude(event.Withdrawn, event.WithdrawnBy)))
	})
}
