package pipeline

import (
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
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

// claim writes that a call for the request is about to be made at the time.
// False says that the process stops.
func (p *Pipeline) claim(it *item, at time.Time, timeout time.Duration) bool {
	s := it.shard
	until := at.Add(timeout + p.cfg.ClaimMargin)
	s.mu.Lock()
	r := ledger.Record{
		Step: ledger.Claimed, Claim: it.entry.Claim + 1, Source: it.source(),
		Owner: p.cfg.Owner, Until: &until, Called: &at,
		Attempts: it.attempts, Calls: it.calls, Supersede: s.ledger.Superseding(it.entry),
	}
	s.mu.Unlock()
	if !p.record(it, r, stamp()) {
		return false
	}
	it.claim, it.until = r.Claim, until
	return true
}

// claimed tells whether the claim covers a call at the time.
func (p *Pipeline) claimed(it *item, at time.Time, timeout time.Duration) bool {
	return it.claim > 0 && !at.Add(timeout+p.cfg.ClaimMargin/2).After(it.until)
}

// owns tells whether the shard is ours beyond doubt.
func (p *Pipeline) owns(s *shard) bool { return !s.hasMoved() && p.lease.held() }

// mayRecord tells whether an answer, a parking or a publication may begin.
func (p *Pipeline) mayRecord(it *item) bool {
	return p.owns(it.shard) || it.claim > 0 && time.Now().Before(it.until.Add(-p.cfg.ClaimMargin/4))
}

// record writes a step of the request and, once all in-sync replicas have it,
// takes it in. False says that the process stops; the record may or may not be
// in the log.
func (p *Pipeline) record(it *item, r ledger.Record, at time.Time) bool {
	s := it.shard
	value := r.Encode()
	if !p.write(event.Record{
		Topic: p.cfg.Topics.Ledger, Partition: s.id, Key: []byte(it.request.RequestID), Value: value, Time: at,
	}) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.Note(it.request.RequestID, r, value, at)
	return true
}

// stamp returns the present as a record's time can hold it: Kafka keeps
// milliseconds, and times that a restore reads must be those that we compared.
func stamp() time.Time { return time.Now().Truncate(time.Millisecond) }
