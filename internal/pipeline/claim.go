package pipeline

import (
	"context"
	"errors"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

// A claim is a lease: its end covers the call, the answer and the publication.
// Whoever takes the shard over settles nothing before that end, nor before
// half a margin after the takeover. So an owner may
//
//   - call while it owns the shard and half a margin is left after the call's
//     deadline, and
//   - answer, park and publish while it owns the shard, or, once it has lost
//     it, up to a quarter of a margin before the claim's end.
//
// What is begun in time has at least a quarter of a margin to reach the log.

// claim writes that a call for the request is about to be made at the time. The
// shard must be ours when the claim is begun, or it could outdate what a new
// owner has written; and a claim counts only if the shard is still ours when it
// is in the log, or a new owner may have read the ledger without it.
// errLeaseEnded says that it does not count, errStopping that the process stops.
func (p *Pipeline) claim(it *item, at time.Time, timeout time.Duration) error {
	s := it.shard
	until := at.Add(timeout + p.cfg.ClaimMargin) // as a reading of both clocks, for before
	recorded, called := until.Round(0), at.Round(0)
	s.mu.Lock()
	r := ledger.Record{
		Step: ledger.Claimed, Spend: spendOf(it), Claim: it.entry.Claim + 1, Source: it.source(),
		Owner: p.cfg.Owner, Until: &recorded, Called: &called, Vendor: it.request.Vendor,
		Attempts: it.attempts, Calls: it.calls, Selfie: it.selfie,
		Supersede: s.ledger.Superseding(it.entry), Revision: it.laterRevision(),
	}
	s.mu.Unlock()
	rec := p.ledgerRecord(it, r, stamp())
	if err := p.write(p.whileOurs(s), rec); err != nil {
		return err
	}
	s.mu.Lock()
	s.ledger.Note(it.request.RequestID, r, rec.Value, rec.Time)
	s.mu.Unlock()
	if !p.owns(s) {
		return errLeaseEnded
	}
	it.claim, it.until, it.claimedFor, it.claimedCalls, it.claimedWith = r.Claim, until, it.reserved, it.calls, it.selfie
	return nil
}

// turnClaims writes the claims of what a vendor is asked beside calls. They lead to
// nothing but that it is counted, by whoever reads them.
func (p *Pipeline) turnClaims(vendor event.Vendor) vendors.Claims {
	line := p.lines[vendor]
	return vendors.Claims{Lead: line.lead.get, Write: func(ctx context.Context, shard int, at time.Time) error {
		p.mu.Lock()
		s := p.shards[shard]
		p.mu.Unlock()
		if s == nil {
			return vendors.ErrMissed
		}
		if err := p.lease.wait(ctx); err != nil {
			return err
		}
		start := time.Now()
		called := at.Round(0)
		until := called.Add(p.cfg.ClaimMargin / 2) // it may leave as late as that: countCall
		r := ledger.Record{Step: ledger.Claimed, Claim: 1, Owner: p.cfg.Owner, Until: &until, Called: &called, Vendor: vendor}
		err := p.write(p.whileOurs(s), event.Record{
			Topic: p.cfg.Topics.Ledger, Partition: shard, Key: ledger.AskedKey(vendor), Value: r.Encode(), Time: stamp(),
		})
		if errors.Is(err, errLeaseEnded) || err == nil && !p.owns(s) {
			return vendors.ErrMissed
		}
		line.lead.observe(time.Since(start))
		return err
	}}
}

// claimed tells whether the claim covers a call at the time. It covers one call:
// whoever counts calls by their claims would miss a second.
func (p *Pipeline) claimed(it *item, at time.Time, timeout time.Duration) bool {
	end := at.Add(timeout + p.cfg.ClaimMargin/2)
	return it.claim > 0 && it.calls == it.claimedCalls && before(end.Add(-1), it.until)
}

// whileOurs is the leave to write to a shard as long as it is ours beyond doubt.
func (p *Pipeline) whileOurs(s *shard) func() error {
	return func() error {
		if !p.owns(s) {
			return errLeaseEnded
		}
		return nil
	}
}

// owns tells whether the shard is ours beyond doubt.
func (p *Pipeline) owns(s *shard) bool { return !s.hasMoved() && p.lease.held() }

// mayRecord tells whether an answer, a parking or a publication may begin.
func (p *Pipeline) mayRecord(it *item) bool {
	return p.owns(it.shard) || it.claim > 0 && before(time.Now(), it.until.Add(-p.cfg.ClaimMargin/4))
}

// record writes a step of the request, once it may, and, when all in-sync
// replicas have it, takes it in. False says that the request is somebody else's
// now, or that the process stops; the record may or may not be in the log.
func (p *Pipeline) record(it *item, r ledger.Record, at time.Time) bool {
	rec := p.ledgerRecord(it, r, at)
	if !p.writeFor(it, rec) {
		return false
	}
	it.shard.mu.Lock()
	defer it.shard.mu.Unlock()
	it.shard.ledger.Note(it.request.RequestID, r, rec.Value, at)
	return true
}

// ledgerRecord makes the record of a step.
func (p *Pipeline) ledgerRecord(it *item, r ledger.Record, at time.Time) event.Record {
	return event.Record{
		Topic: p.cfg.Topics.Ledger, Partition: it.shard.id,
		Key: []byte(it.request.RequestID), Value: r.Encode(), Time: at,
	}
}

// writeFor writes records for a request, as long as mayRecord says so. While
// nobody else has the shard it waits for the lease: nobody else would bring the
// request up. False says that the request was left to the shard's new owner, or
// that the process stops.
func (p *Pipeline) writeFor(it *item, recs ...event.Record) bool {
	return p.writeUnless(never, it, recs...)
}

// never is the condition of what must be written in any case.
func never(bool) bool { return false }

// writeUnless is writeFor that asks, before it begins and whenever it begins
// again, whether the records need not be written any more; then it is done. The
// writer's own repeats are dropped where the records are already, but what was
// given up with the lease may be there, too.
func (p *Pipeline) writeUnless(needless func(again bool) bool, it *item, recs ...event.Record) bool {
	may := func() error {
		if !p.mayRecord(it) {
			return errLeaseEnded
		}
		return nil
	}
	for again := false; ; again = true {
		if needless(again) {
			return true
		}
		err := p.write(may, recs...)
		switch {
		case err == nil:
			return true
		case !errors.Is(err, errLeaseEnded):
			return false
		}
		// Between two generations the shard is nobody else's yet.
		if it.shard.hasMoved() || p.lease.wait(it.shard.ctx) != nil {
			if !p.mayRecord(it) {
				p.abandon(it)
				return false
			}
		}
	}
}

// stamp returns the present as a record's time can hold it: Kafka keeps
// milliseconds, and times that a restore reads must be those that we compared.
func stamp() time.Time { return time.Now().Truncate(time.Millisecond) }
