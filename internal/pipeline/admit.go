package pipeline

import (
	"errors"
	"math/rand/v2"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// admit takes a fetched record in: decodes it and queues it, or refuses it.
func (p *Pipeline) admit(s *shard, rec event.Record, end int64) {
	it := &item{shard: s, record: rec, fetched: time.Now(), priority: rec.Topic == p.cfg.Topics.Priority, tracked: true}
	// A record larger than the whole backlog waits for all of it.
	if p.backlog.Acquire(s.ctx, min(it.weight(), p.cfg.MaxBacklog)) != nil {
		<-s.room
		return
	}
	if !s.track(rec, end) {
		p.forget(it)
		return
	}
	p.metrics.requests.WithLabelValues(rec.Topic).Inc()
	var err error
	it.request, err = event.Decode(rec, p.cfg.Rules)
	if invalid, ok := errors.AsType[*event.InvalidError](err); ok {
		p.wg.Go(func() { p.refuse(it, invalid) })
		return
	}
	p.admitRequest(it)
}

// prematureWait is how long a request that was sent back waits for the result
// of its failure.
const prematureWait = 5 * time.Second

// admitRequest asks the ledger about a decoded request and queues it if it is
// to be worked on.
func (p *Pipeline) admitRequest(it *item) {
	s := it.shard
	var due time.Time
	s.mu.Lock()
	admission, entry := s.ledger.Admit(it.request.RequestID, it.source(), it.revision())
	if admission == ledger.Unsettled {
		due = p.settleAt(s, entry)
	}
	s.mu.Unlock()
	if entry != nil {
		it.id = entry.ID
	} else {
		it.id = ledger.IDOf(it.request.RequestID)
	}
	switch admission {
	case ledger.Duplicate:
		p.metrics.duplicates.Inc()
		p.log.Debug("duplicate skipped", "request_id", it.request.RequestID, "partition", s.id, "offset", it.record.Offset)
		p.done(it)
		return
	case ledger.Adopted:
		p.done(it)
		p.lookAfter(s, entry, time.Time{})
		return
	case ledger.Premature:
		p.parking.park(waiter{due: time.Now().Add(prematureWait), shard: s, it: it})
	case ledger.Unsettled:
		it.entry, it.unsettled = entry, true
		p.parking.park(waiter{due: due, shard: s, it: it})
	default:
		it.entry = entry
		p.enqueue(it)
	}
	p.sweepIfMoved(s)
}

// unpark queues a parked request that is due.
func (p *Pipeline) unpark(w waiter) {
	defer p.sweepIfMoved(w.shard)
	released := p.parking.released()
	w.held, w.capped = false, noCap
	if w.it != nil && w.it.entry == nil {
		p.admitRequest(w.it)
		return
	}
	if w.it != nil {
		p.enqueue(w.it)
		return
	}
	it, err := unpack(w, p.cfg.Rules, p.cfg.Topics.Priority)
	if err != nil {
		// It was accepted once, so the settings have changed since.
		p.metrics.stuck.Inc()
		p.log.Error("parked request cannot be taken up with the present settings; trying again later",
			"partition", w.shard.id, "error", err, "after_ms", p.cfg.StuckRetry.Milliseconds())
		w.due = time.Now().Add(p.cfg.StuckRetry)
		p.parking.park(w)
		return
	}
	if p.takenBack(it) {
		p.withdraw(it)
		return
	}
	if p.holdBack(w, it, released) || p.putBack(w, it) {
		return
	}
	l := p.lines[it.request.Vendor]
	// To find out what became of a call is no retry, nor is the next of the
	// calls that a verdict takes.
	if !it.unsettled && it.unknownSince.IsZero() && !w.awaited && !l.budget.spend() {
		w.due = time.Now().Add(time.Second + rand.N(2*time.Second))
		w.expects = nil // news has come: once more would be at once
		p.parking.park(w)
		return
	}
	p.enqueue(it)
}
