package checkout

import "sync"

// recentEvents is how many events are remembered: at the highest rate that the
// vendor allows, with some six events for each, more than two minutes' worth; at
// common ones, hours.
const recentEvents = 1 << 16

// recent remembers the last ids that were added, as many as it has room for. It
// is safe for concurrent use.
type recent struct {
	room int

	mu    sync.Mutex // guards what follows
	known map[string]struct{}
	ring  []string // in the order of coming
	next  int      // the oldest, once ring is full
}

func newRecent(room int) *recent { return &recent{room: room, known: map[string]struct{}{}} }

// has tells whether an id is remembered.
func (r *recent) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.known[id]
	return known
}

// add remembers an id, and forgets the oldest if there is no more room.
func (r *recent) add(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.known[id]; known {
		return
	}
	if len(r.ring) < r.room {
		r.ring = append(r.ring, id)
	} else {
		delete(r.known, r.ring[r.next])
		r.ring[r.next] = id
		r.next = (r.next + 1) % r.room
	}
	r.known[id] = struct{}{}
}
