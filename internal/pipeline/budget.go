package pipeline

import "sync"

// budget keeps second and later attempts to a share of the calls, so that they
// do not eat the quota of new requests when many fail. It is safe for
// concurrent use.
type budget struct {
	share float64

	mu   sync.Mutex // guards left
	left float64
}

// budgetReserve is how many retries are free, and how many can be saved up.
const budgetReserve = 20

func newBudget(share float64) *budget { return &budget{share: share, left: budgetReserve} }

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
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
