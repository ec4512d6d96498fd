package ledger

import "time"

// The answer of a request leaves the window, but an order or an outage may hold its
// offset back for longer, with that of an earlier request. So checkpoints name what
// is done and would be read again: whoever takes the shard over finds it in the
// window.

// closedAtOnce bounds the ids that one record names: 25 bytes each, 400 KiB in all. While
// a vendor is out, or paused, over a weekend, more get done behind its requests than a
// record can hold.
const closedAtOnce = 1 << 14

// Closing returns the checkpoints that name those of ids that are done and do not live
// in the ledger by records of their own; none if there are none. They count together:
// all are to be written before one is taken in.
func (s *Shard) Closing(published time.Time, ids []ID) (checkpoints []Record) {
	named := 0
	for _, id := range ids {
		if s.open[id] != nil {
			continue
		}
		if named%closedAtOnce == 0 {
			checkpoints = append(checkpoints, Record{Step: Checkpoint, Published: &published})
		}
		named++
		r := &checkpoints[len(checkpoints)-1]
		if _, failed := s.failed[id]; failed {
			r.Failed = append(r.Failed, id)
		} else {
			r.Closed = append(r.Closed, id)
		}
	}
	return checkpoints
}

// ClosedAt returns when a checkpoint last named ids, zero if none in the window did.
func (s *Shard) ClosedAt() time.Time { return s.closedAt }

// closed takes in the ids of a checkpoint.
func (s *Shard) closed(r Record, at time.Time) {
	if len(r.Closed)+len(r.Failed) > 0 {
		s.closedAt = at
	}
	for _, id := range r.Closed {
		s.seen.add(id, at)
	}
	for _, id := range r.Failed {
		s.seen.add(id, at)
		s.failed[id] = max(1, s.failed[id]) // which revision failed is not named
	}
}
