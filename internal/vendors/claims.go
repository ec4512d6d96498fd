package vendors

import (
	"context"
	"time"
)

// Claims writes down what a vendor is asked beside calls for requests (Turn, and the
// free check), so that a shard's next owner counts it in the longer windows, too. Of
// the calls for requests it learns from their own claims. The zero value writes
// nothing.
type Claims struct {
	// Write returns once the shard's ledger says that the vendor is asked something
	// at the time, which is in Lead or later; the new owner is to Restore it. Nothing
	// is asked after an error: ErrMissed, if there may be another slot, or ctx's cause.
	Write func(ctx context.Context, shard int, at time.Time) error
	// Lead is how long Write takes at present.
	Lead func() time.Duration
}

// ClaimTurns sets what writes claims. It is set before the lane is used.
func (l *Lane) ClaimTurns(c Claims) {
	if l.Counts() { // nothing is to be counted otherwise
		l.claims = c
	}
}

func (c Claims) write(ctx context.Context, shard int, at time.Time) error {
	if c.Write == nil || shard == anyShard {
		return nil
	}
	return c.Write(ctx, shard, at)
}

func (c Claims) lead() time.Duration {
	if c.Lead == nil {
		return 0
	}
	return c.Lead()
}
