package pipeline

import (
	"sync"
	"time"
)

// budget keeps second and later attempts to a share of the calls, so that they
// do not eat the quota of new requests when many fail. Where there are no new
// requests, one a second is free. It is safe for concurrent use.
type budget struct {
	share float64

	mu     sync.Mutex // guards what follows
	left   float64
	filled time.Time
}

// budgetReserve is how many retries are free at first, and how many can be
// saved up; budgetPerSecond is how many are free in each second.
const (
	budgetReserve   = 20
	budgetPerSecond = 1
)

func newBudget(share float64) *budget {
	return &budget{share: share, left: budgetReserve, filled: time.Now()}
}

// earn is called for each first attempt.
func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(budgetReserve, b.left+b.share)
}

// spend tells whether another retry may be made, and counts it.
func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.left = min(budgetReserve, b.left+budgetPerSecond*now.Sub(b.filled).Seconds())
	b.filled = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
