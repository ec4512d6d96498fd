package main

import (
	"context"
	"time"

	"reauth/internal/config"
)

// pacer spreads records evenly over time. Its zero value does not hold anything
// up. It is for one goroutine.
type pacer struct {
	rate config.Rate
	next time.Time // when the next record is due
}

// batch returns how many records may go together: batchRecords, but no more
// than are due in a tenth of a second, so that a slow rate stays even.
func (p *pacer) batch() int {
	if p.rate.Count == 0 {
		return batchRecords
	}
	return min(batchRecords, max(1, int(float64(p.rate.Count)*float64(time.Second/10)/float64(p.rate.Per))))
}

// wait waits until n records are due, or returns the cause of ctx. Time that
// was lost elsewhere is not made up for.
func (p *pacer) wait(ctx context.Context, n int) error {
	if p.rate.Count == 0 {
		return context.Cause(ctx)
	}
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	due := p.next
	p.next = p.next.Add(time.Duration(float64(n) * float64(p.rate.Per) / float64(p.rate.Count)))
	timer := time.NewTimer(due.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return context.Cause(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
