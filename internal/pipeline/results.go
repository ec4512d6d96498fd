package pipeline

import (
	"context"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// published tells whether the result with an event id is in the results topic,
// given that it was not written before since.
func (p *Pipeline) published(ctx context.Context, s *shard, eventID string, since time.Time) (bool, error) {
	return p.isOut(ctx, s, &s.out, ledger.IDOf(eventID), look{since: since})
}

// resultID is what a result is asked for by.
func resultID(rec event.Record) (ledger.ID, bool) {
	id, ok := rec.Header("ce_id")
	return ledger.IDOf(id), ok
}
