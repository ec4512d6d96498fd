package pipeline

import (
	"sync"

	"reauth/internal/ledger"
)

// recent maps the latest strings added, up to a number, to what was said of each
// last. It is safe for concurrent use.
type recent[V any] struct {
	mu    sync.Mutex // guards what follows
	ring  []ledger.ID
	at    int
	added map[ledger.ID]V
}

func newRecent[V any](most int) *recent[V] {
	return &recent[V]{ring: make([]ledger.ID, 0, most), added: map[ledger.ID]V{}}
}

// add notes v of s, unless s is empty, and forgets the oldest if there are too many.
func (r *recent[V]) add(s string, v V) {
	if s == "" {
		return
	}
	id := ledger.IDOf(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addLocked(id, v)
}

func (r *recent[V]) addLocked(id ledger.ID, v V) {
	if _, known := r.added[id]; !known {
		r.makeRoom(id)
	}
	r.added[id] = v
}

// makeRoom puts id into the ring, where the oldest was if it is full.
func (r *recent[V]) makeRoom(id ledger.ID) {
	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, id)
		return
	}
	delete(r.added, r.ring[r.at])
	r.ring[r.at] = id
	r.at = (r.at + 1) % len(r.ring)
}

// get returns what was said of s.
func (r *recent[V]) get(s string) (v V, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, known = r.added[ledger.IDOf(s)]
	return v, known
}

// first returns what was said of s, which is v from now on if nothing was. Of the
// empty string nothing ever is.
func (r *recent[V]) first(s string, v V) V {
	if s == "" {
		return v
	}
	id := ledger.IDOf(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	if said, known := r.added[id]; known {
		return said
	}
	r.addLocked(id, v)
	return v
}
