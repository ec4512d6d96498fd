package pipeline

import (
	"context"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// outIndex knows what of a shard is in a topic that owners write to. It is
// filled from the topic when it is first asked, and read on when a question is
// about what may have come since. A question only about what came after all that was
// read begins anew: owners keep shards for weeks, and may be asked twice in that time.
type outIndex struct {
	topic string
	// idOf returns what a record is asked for by; false for one that nobody
	// asks for.
	idOf func(event.Record) (ledger.ID, bool)

	mu   sync.Mutex // guards what follows; held while reading
	next int64
	// The index has what was written since from, as far as it was there at
	// upTo; zero: nothing was read.
	from, upTo time.Time
	ids        map[ledger.ID]struct{}
}

// look is a span of time in which something may have been written.
type look struct {
	since time.Time // not before
	by    time.Time // not after; zero: until now
}

// isOut tells whether a record is in the topic of an index of a shard, given
// when it may have been written.
func (p *Pipeline) isOut(ctx context.Context, s *shard, x *outIndex, id ledger.ID, l look) (bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.from.IsZero() || l.since.Before(x.from) || l.since.After(x.upTo) {
		start, err := p.parts.Offsets.OffsetAt(ctx, x.topic, s.id, l.since)
		if err != nil {
			return false, err
		}
		x.next, x.from, x.upTo, x.ids = start, l.since, time.Time{}, map[ledger.ID]struct{}{}
	}
	if l.by.IsZero() || x.upTo.Before(l.by) {
		if err := p.readOut(ctx, s, x); err != nil {
			return false, err
		}
	}
	_, out := x.ids[id]
	return out, nil
}

// readOut reads on to the end that the index's topic has now. x.mu is held.
func (p *Pipeline) readOut(ctx context.Context, s *shard, x *outIndex) error {
	now := time.Now()
	end, err := p.parts.Offsets.End(ctx, x.topic, s.id)
	if err != nil {
		return err
	}
	r, err := p.readUpTo(ctx, x.topic, s.id, x.next, end, func(rec event.Record) {
		if id, ok := x.idOf(rec); ok {
			x.ids[id] = struct{}{}
		}
	})
	if err != nil {
		return err
	}
	if err := r.Close(); err != nil {
		return err
	}
	x.next, x.upTo = max(x.next, end), now
	return nil
}
