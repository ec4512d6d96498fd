package ledger

import (
	"time"

	"reauth/internal/event"
)

// Shard is the ledger of one shard: a pure state machine over its records. Each
// method is one step; it is not safe for concurrent use.
type Shard struct {
	seen   seen
	failed map[ID]int // the seen ones whose answer may be superseded, with its revision
	open   map[ID]*Entry
	// unconfirmed are the answered entries of open in the order of the log.
	unconfirmed []*Entry
	// answering are answers that are being written, with their times.
	answering map[ID]time.Time
	names     names
	scanner   scanner
	onClaim   func(vendor event.Vendor, called time.Time) // may be nil
	verdicts  verdicts
	orders    orders
	spent     spent
	followUps followUps
	closedAt  time.Time // when a checkpoint last named ids
	marks     map[string]Mark
	markedAt  time.Time
}

// NewShard returns an empty ledger that remembers answered ids for window.
func NewShard(window time.Duration) *Shard {
	s := &Shard{
		seen: newSeen(window), failed: map[ID]int{},
		open: map[ID]*Entry{}, answering: map[ID]time.Time{}, verdicts: newVerdicts(window),
		orders: orders{}, followUps: newFollowUps(),
	}
	s.scanner.names, s.scanner.spent = &s.names, &s.spent
	return s
}

// OnClaim sets what is told of each claim that Apply reads, for counting the
// calls of a vendor: also of those that change nothing, since every claim may
// have led to a call. called is when it was made at the earliest; vendor is empty
// for a claim that names none. Claims of ours, which Note takes in, are not told
// of. It is set before the first Apply.
func (s *Shard) OnClaim(tell func(vendor event.Vendor, called time.Time)) { s.onClaim = tell }

// Checkpoint returns up to when everything that was answered is published.
func (s *Shard) Checkpoint(now time.Time) time.Time {
	s.confirm(time.Time{}) // drops what is closed
	published := now
	for _, e := range s.unconfirmed {
		if !e.at.After(published) {
			published = e.at.Add(-1)
		}
	}
	for _, at := range s.answering {
		if !at.After(published) {
			published = at.Add(-1)
		}
	}
	return published
}

// Restored closes what the committed offsets show to be done, and returns the
// entries that live in the ledger, which nobody else will bring up: parked ones,
// and those that were parked once and are claimed, or answered and perhaps not
// published. committed holds the next offset by request topic.
func (s *Shard) Restored(committed map[string]int64) (ours []*Entry) {
	for id, e := range s.open {
		next, known := committed[e.Source.Topic]
		switch {
		case e.original != nil:
			e.Attended = true
			ours = append(ours, e)
		case known && e.Source.Offset < next && e.Step == Answered:
			s.close(e)
		case known && e.Source.Offset < next:
			// Its record is done, so its result is out, and the answer was
			// before what we have read.
			s.seen.add(id, e.Until)
			s.spend(e, nil)
			delete(s.open, id)
		}
	}
	return ours
}

// Stale returns the requests that live in the ledger and whose parked record was
// written before the time: written again, a restore goes on meeting it. It is needed
// also of one that has been claimed, for as long as its lane is paused.
func (s *Shard) Stale(before time.Time) (stale []*Entry) {
	for _, e := range s.open {
		if e.Step != Answered && e.original != nil && e.at.Before(before) {
			stale = append(stale, e)
		}
	}
	return stale
}

// Forget drops ids that were answered before the window that ends now, and
// answers of that age that nobody ever confirmed: their requests never came, so
// they were not ours.
func (s *Shard) Forget(now time.Time) {
	for _, e := range s.unconfirmed {
		if s.open[e.ID] == e && !e.Attended && e.at.Before(now.Add(-s.verdicts.window)) {
			s.close(e)
		}
	}
	s.seen.forget(now)
	s.verdicts.forget(now)
	s.spent.forget(now)
	s.orders.forget(now.Add(-s.verdicts.window))
	for id := range s.failed {
		if !s.seen.has(id) {
			delete(s.failed, id)
		}
	}
}

// ClaimedUntil returns the end of the last of all claims, zero if there are none.
func (s *Shard) ClaimedUntil() (last time.Time) {
	for _, e := range s.open {
		if e.Until.After(last) {
			last = e.Until
		}
	}
	return last
}

// Len returns how many requests are open, and how many answered ids are
// remembered.
func (s *Shard) Len() (open, answered int) { return len(s.open), s.seen.len() }
