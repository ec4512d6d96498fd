package pipeline

import (
	"context"
	"errors"
	"maps"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/stream"
)

// Checkpoints in the ledger say how far the topics of requests are done (ledger.Mark).
// That counts where the group's offset is lost; where there is one, it may have been
// set by hand.

// marks returns how far the shard's topics are done. A record without a time, as only
// producers of before Kafka 0.10 write, tells nothing of its topic. The shard's lock is
// held.
func (s *shard) marks() map[string]ledger.Mark {
	marks := map[string]ledger.Mark{}
	for topic, t := range s.trackers {
		if t.last.UnixMilli() > 0 {
			marks[topic] = ledger.Mark{Next: t.next, Last: t.last}
		}
	}
	return marks
}

// beginAt returns where to begin in each topic, given the group's offsets: where there
// is none, at the ledger's mark.
func (p *Pipeline) beginAt(s *shard, committed map[string]int64) (map[string]int64, error) {
	s.mu.Lock()
	marks, _ := s.ledger.Marks()
	s.mu.Unlock()
	next := maps.Clone(committed)
	for topic, offset := range committed {
		m, known := marks[topic]
		if offset >= 0 || !known {
			continue
		}
		holds, err := p.holds(s, topic, m)
		if err != nil {
			return nil, err
		}
		if !holds {
			continue
		}
		next[topic] = m.Next
		s.mu.Lock()
		s.trackers[topic] = newTracker(m.Next)
		s.mu.Unlock()
		p.log.Warn("the group has no offset: going on where the ledger says", "topic", topic, "partition", s.id, "offset", m.Next)
	}
	return next, nil
}

// holds tells whether a mark is of the topic as it is: another may have its name now.
func (p *Pipeline) holds(s *shard, topic string, m ledger.Mark) (bool, error) {
	end, err := p.parts.Offsets.End(s.ctx, topic, s.id)
	if err != nil || end < m.Next {
		return false, err
	}
	rec, err := p.recordAt(s, topic, m.Next-1)
	if _, gap := errors.AsType[*stream.GapError](err); gap {
		return false, nil // deleted, with all that is before it
	}
	if err != nil && !errors.Is(err, stream.ErrControl) {
		return false, err
	}
	return rec.Offset == m.Next-1 && rec.Time.Equal(m.Last), nil
}

// recordAt returns what a reader of the shard's partition of a topic meets first from
// a position on; its error is that of Reader.Fetch, or errStalled.
func (p *Pipeline) recordAt(s *shard, topic string, position int64) (rec event.Record, err error) {
	r, err := p.parts.OpenReader(topic, s.id, position)
	if err != nil {
		return rec, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	ctx, cancel := context.WithTimeoutCause(s.ctx, p.cfg.StuckRetry, errStalled)
	defer cancel()
	return r.Fetch(ctx)
}

// markDue tells whether a checkpoint is due because the last one that says how far the
// topics are done is about to leave the window. The shard's lock is held.
func (s *shard) markDue(now time.Time, window time.Duration) bool {
	marks, at := s.ledger.Marks()
	return len(marks) > 0 && now.Sub(at) >= window/2
}
