package pipeline

import "slices"

// rota is a queue that gives the shards turns, and is first come, first served
// within each: so the shards of a replica come to their end together. Were one
// served before the others, it would run dry, and a replica that is left with dry
// ones would let the slots of its timetable pass.
type rota struct {
	of   map[*shard]*fifo
	ring []*shard // of the shards in of
	next int      // whose turn it is
}

func (r *rota) push(it *item) {
	f := r.of[it.shard]
	if f == nil {
		if r.of == nil {
			r.of = map[*shard]*fifo{}
		}
		f = &fifo{}
		r.of[it.shard] = f
		r.ring = append(r.ring, it.shard)
	}
	f.push(it)
}

func (r *rota) pop() *item {
	for len(r.ring) > 0 {
		if r.next >= len(r.ring) {
			r.next = 0
		}
		if it := r.of[r.ring[r.next]].pop(); it != nil {
			r.next++
			return it
		}
		r.drop(r.next)
	}
	return nil
}

// drop takes a shard out of the ring.
func (r *rota) drop(at int) {
	delete(r.of, r.ring[at])
	r.ring = slices.Delete(r.ring, at, at+1)
	if at < r.next {
		r.next--
	}
}

// remove takes out the requests that match and returns them.
func (r *rota) remove(match func(*item) bool) (removed []*item) {
	for at := len(r.ring) - 1; at >= 0; at-- {
		f := r.of[r.ring[at]]
		removed = append(removed, f.remove(match)...)
		if f.head == len(f.items) {
			r.drop(at)
		}
	}
	return removed
}

// fifo is a queue over a slice that gives room back as it goes.
type fifo struct {
	items []*item
	head  int
}

func (f *fifo) push(it *item) { f.items = append(f.items, it) }

func (f *fifo) pop() *item {
	if f.head == len(f.items) {
		return nil
	}
	it := f.items[f.head]
	f.items[f.head] = nil
	f.head++
	if f.head > 64 && f.head > len(f.items)/2 {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	return it
}

// remove takes out the requests that match and returns them.
func (f *fifo) remove(match func(*item) bool) (removed []*item) {
	kept := f.items[:f.head]
	for _, it := range f.items[f.head:] {
		if match(it) {
			removed = append(removed, it)
		} else {
			kept = append(kept, it)
		}
	}
	clear(f.items[len(kept):])
	f.items = kept
	return removed
}
