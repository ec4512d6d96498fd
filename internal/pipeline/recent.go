package pipeline

import (
	"sync"

	"reauth/internal/ledger"
)

// recent is a set of the latest strings added, up to a number. It is safe for
// concurrent use.
type recent struct {
	mu    sync.Mutex // guards what follows
	ring  []ledger.ID
	at    int
	index map[ledger.ID]struct{}
}

func newRecent(most int) *recent {
	return &recent{ring: make([]ledger.ID, 0, most), index: map[ledger.ID]struct{}{}}
}

// add adds s, unless it is empty, and forgets the oldest if there are too many.
func (r *recent) add(s string) {
	if s == "" || r.has(s) {
		return
	}
	id := ledger.IDOf(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, id)
	} else {
		delete(r.index, r.ring[r.at])
		r.ring[r.at] = id
		r.at = (r.at + 1) % len(r.ring)
	}
	r.index[id] = struct{}{}
}

// has tells whether s is among them.
func (r *recent) has(s string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.index[ledger.IDOf(s)]
	return ok
}
