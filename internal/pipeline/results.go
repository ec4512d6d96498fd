package pipeline

import (
	"context"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// resultIndex knows which results of a shard are in the results topic. It is
// filled from the topic when it is first asked, and read on at each question.
type resultIndex struct {
	mu   sync.Mutex // guards what follows; held while reading
	next int64
	from time.Time // the index has everything since; zero: nothing was read
	ids  map[ledger.ID]struct{}
}

// published tells whether the result with an event id is in the results topic,
// given that it was not written before since.
func (p *Pipeline) published(ctx context.Context, s *shard, eventID string, since time.Time) (bool, error) {
	x := &s.out
	x.mu.Lock()
	defer x.mu.Unlock()
	topic := p.cfg.Topics.Results
	if x.from.IsZero() || since.Before(x.from) {
		start, err := p.parts.Offsets.OffsetAt(ctx, topic, s.id, since)
		if err != nil {
			return false, err
		}
		x.next, x.from, x.ids = start, since, map[ledger.ID]struct{}{}
	}
	end, err := p.parts.Offsets.End(ctx, topic, s.id)
	if err != nil {
		return false, err
	}
	r, err := p.readUpTo(ctx, topic, s.id, x.next, end, func(rec event.Record) {
		if id, ok := rec.Header("ce_id"); ok {
			x.ids[ledger.IDOf(id)] = struct{}{}
		}
	})
	if err != nil {
		return false, err
	}
	if err := r.Close(); err != nil {
		return false, err
	}
	x.next = max(x.next, end)
	_, out := x.ids[ledger.IDOf(eventID)]
	return out, nil
}
