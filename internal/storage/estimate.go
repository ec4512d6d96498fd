package storage

import "sync"

// estimate foretells the size of the next selfie from the last ones: their mean
// and four mean deviations, as TCP foretells a round trip (RFC 6298, with the
// gains of 1/8 and 1/4 that it gives). A size that is too low may cost a second
// GET; one too high is given back after a round trip.
type estimate struct {
	max int64

	mu              sync.Mutex // guards all below
	seen            bool
	mean, deviation float64
}

// next returns the bytes to reserve: the maximum as long as nothing was seen.
func (e *estimate) next() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.seen {
		return e.max
	}
	return min(e.max, int64(e.mean+4*e.deviation)+1)
}

// observe takes a size into account.
func (e *estimate) observe(bytes int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	size := float64(bytes)
	if !e.seen {
		e.seen, e.mean, e.deviation = true, size, size/2
		return
	}
	off := size - e.mean
	e.mean += off / 8
	e.deviation += (max(off, -off) - e.deviation) / 4
}
