package pipeline

import (
	"context"
	"sync"
	"time"

	"reauth/internal/ledger"
)

// holdTime is when a request that an order holds back is looked at again, though
// nobody took the order back.
const holdTime = time.Hour

// defaultMaxHeld is Config.MaxHeld if that is 0: 15 MiB with requests of 350
// bytes, measured on Go 1.26 as the heap in use by their entries and waiters.
const defaultMaxHeld = 1 << 14

// brake stops a line's calls by order. It is safe for concurrent use.
type brake struct {
	mu   sync.Mutex // guards what follows
	off  context.Context
	stop context.CancelCauseFunc // ends off with errHeld
}

func newBrake() *brake {
	b := &brake{}
	b.off, b.stop = context.WithCancelCause(context.Background())
	return b
}

// set puts the brake on or takes it off.
func (b *brake) set(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case on:
		b.stop(errHeld)
	case b.off.Err() != nil:
		b.off, b.stop = context.WithCancelCause(context.Background())
	}
}

func (b *brake) on() bool { return b.running().Err() != nil }

// running returns a context that ends with errHeld as soon as the brake is on.
func (b *brake) running() context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.off
}

// during returns a context that ends with ctx, or with errHeld when the brake is
// put on. cancel frees what it takes.
func (b *brake) during(ctx context.Context) (_ context.Context, cancel func()) {
	ctx, end := context.WithCancelCause(ctx)
	running := b.running()
	if running.Err() != nil {
		end(context.Cause(running)) // what runs on its own may come too late
	}
	detach := context.AfterFunc(running, func() { end(context.Cause(running)) })
	return ctx, func() {
		detach()
		end(nil)
	}
}

// pause stops the line's calls, or lets them go on. Requests on their way to a
// permit turn back, so that no selfie is held meanwhile.
func (l *line) pause(on bool) {
	l.brake.set(on)
	l.queue.setShut(on)
}

// hold puts a request back that an order holds back. One of a paused vendor stays
// in the queue, with its offset. One of a paused campaign is parked in the ledger,
// so that it holds up nobody else's, unless so many are that they would take too
// much memory. One with a claim is parked in any case: with the claim left as it
// is, whoever took the shard over would have to find out whether there was a call.
func (p *Pipeline) hold(it *item) {
	l, campaign := p.lines[it.request.Vendor], it.request.CampaignID
	paused := p.orders.pauses(campaign)
	if it.step() == ledger.Claimed || paused && p.parking.countHeld() < p.maxHeld() {
		p.parkHeld(it)
		return
	}
	l.queue.freezeWhile(p.orders.pauses, campaign)
	p.enqueue(it)
}

func (p *Pipeline) maxHeld() int {
	if p.cfg.MaxHeld > 0 {
		return p.cfg.MaxHeld
	}
	return defaultMaxHeld
}

// parkHeld writes that a request waits until an order is taken back.
func (p *Pipeline) parkHeld(it *item) {
	r := p.parkedRecord(it)
	due := time.Now().Add(holdTime)
	r.Why, r.Due = whyPaused, &due
	it.keepDoubt(&r)
	p.settleDown(it, r)
}

// keepDoubt has the record of a parking say that nobody knows what became of a call,
// if it is so.
func (it *item) keepDoubt(r *ledger.Record) {
	if !it.unknownSince.IsZero() {
		it.putInDoubt(r, it.unknownSince)
	}
}

// putInDoubt has the record of a parking say that nobody knows what became of the call
// that was made then.
func (it *item) putInDoubt(r *ledger.Record, called time.Time) {
	r.Unknown, r.Called, r.Selfie = true, &called, it.selfie
}

// holdBack parks a request that lives in the ledger and is due, if an order holds
// it back; its record there stays as it is. seen is what parking.released
// returned before.
func (p *Pipeline) holdBack(w waiter, it *item, seen int) bool {
	now := time.Now()
	if it.unsettled || p.held(it) == nil || p.mayExpire(it, now) {
		return false
	}
	w.due = now.Add(holdTime)
	if !it.expired(now) {
		w.due = it.untilExpired(w.due)
	}
	p.parking.hold(w, seen)
	p.sweepIfMoved(w.shard)
	return true
}

// mayExpire tells whether a request can be closed as expired although an order
// holds its calls back.
func (p *Pipeline) mayExpire(it *item, now time.Time) bool {
	return it.expired(now) && it.unknownSince.IsZero() && !p.lines[it.request.Vendor].brake.on()
}
