package pipeline

import (
	"bytes"
	"errors"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// A broker that was a partition's leader and stood still, or was cut off, for longer
// than its session answers, when it wakes, from what it has: neither the end that it
// names nor its silence shows that nothing came after. So where a claim or an answer
// that was missed would be a call paid twice, the ledger is read up to a barrier
// (ledger.Barrier): what was acknowledged before that was begun is before it.
//
// Numbers are given before the writing begins, so a barrier of a higher number will
// do as well, wherever in the log the two are.

// writeBarrier writes a barrier to the shard's ledger and returns its number.
func (p *Pipeline) writeBarrier(s *shard) (number int64, err error) {
	number = p.barriers.Add(1)
	value := ledger.Barrier(p.cfg.Owner, int(number)).Encode()
	return number, p.parts.Writer.Write(s.ctx, event.Record{Topic: p.cfg.Topics.Ledger, Partition: s.id, Value: value, Time: stamp()})
}

// readToBarrier writes a barrier, hands the records of the shard's ledger from start up
// to it to take, and returns the reader behind it. Its error is errStalled if the
// barrier has got lost.
func (p *Pipeline) readToBarrier(s *shard, start int64, take func(event.Record)) (Reader, error) {
	barrier, err := p.writeBarrier(s)
	if err != nil {
		return nil, err
	}
	r, err := p.parts.OpenReader(p.cfg.Topics.Ledger, s.id, start)
	if err != nil {
		return nil, err
	}
	err = p.readEach(s.ctx, r, func(rec event.Record) bool {
		if rec.Value != nil {
			take(rec)
		}
		p.passed(s, rec)
		return s.hasPassed() < barrier
	})
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// passed notes that a record of the shard's ledger was read, and taken in. One
// goroutine at a time reads it.
func (p *Pipeline) passed(s *shard, rec event.Record) {
	if len(rec.Key) == 0 && bytes.Contains(rec.Value, p.ownClaim) { // as few have no key
		s.passed.Store(max(s.passed.Load(), int64(ledger.BarrierOf(rec.Value))))
	}
	s.setRead(rec.Offset + 1)
}
