package pipeline

import (
	"sync"
	"time"

	"reauth/internal/ledger"
)

// recent is a set of the latest strings added, up to a number, and when each was
// added last. It is safe for concurrent use.
type recent struct {
	mu    sync.Mutex // guards what follows
	ring  []ledger.ID
	at    int
	added map[ledger.ID]int64 // Unix nanoseconds
}

func newRecent(most int) *recent {
	return &recent{ring: make([]ledger.ID, 0, most), added: map[ledger.ID]int64{}}
}

// add notes that s was there at now, unless it is empty, and forgets the oldest if
// there are too many.
func (r *recent) add(s string, now time.Time) {
	if s == "" {
		return
	}
	id := ledger.IDOf(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.added[id]; !known {
		r.makeRoom(id)
	}
	r.added[id] = now.UnixNano()
}

// makeRoom puts id into the ring, where the oldest was if it is full.
func (r *recent) makeRoom(id ledger.ID) {
	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, id)
		return
	}
	delete(r.added, r.ring[r.at])
	r.ring[r.at] = id
	r.at = (r.at + 1) % len(r.ring)
}

// has tells whether s is among them.
func (r *recent) has(s string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.added[ledger.IDOf(s)]
	return known
}

// since tells whether s is among them, and was added after t.
func (r *recent) since(s string, t time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, known := r.added[ledger.IDOf(s)]
	return known && time.Unix(0, at).After(t)
}
