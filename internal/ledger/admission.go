package ledger

import "time"

// Admission is what the ledger says to a request's record.
type Admission uint8

// The admissions.
const (
	// New: go on; the entry is the request's.
	New Admission = iota + 1
	// Duplicate: the request is answered, or somebody is looking after it.
	// The record is done.
	Duplicate
	// Unsettled: the record is of a request that was claimed, or answered and
	// perhaps not published, by an owner before us. Settle it once its Until
	// has passed.
	Unsettled
	// Adopted: a former owner parked the request, and its record of that came
	// late, or it has been claimed since. The record at hand is done, and the
	// entry is to be looked after.
	Adopted
	// Premature: the record was sent back after a failure whose result is not
	// known to be published yet. Ask again.
	Premature
)

// Admit asks about a record from the request topics. revision is that of the result
// which it leads to: 1, or more if the record was sent back, so that it may supersede
// a failure of a lower one.
func (s *Shard) Admit(requestID string, source Source, revision int) (Admission, *Entry) {
	id := IDOf(requestID)
	e := s.open[id]
	switch {
	case e != nil && e.Source == source && e.original == nil && e.Step != "":
		e.Attended = true
		return Unsettled, e
	case e != nil && e.original != nil && !e.Attended:
		e.Attended = true
		return Adopted, e
	case e != nil && s.supersedable(id, revision):
		return Premature, e
	case e != nil:
		return Duplicate, e
	case s.seen.has(id) && !s.supersedable(id, revision):
		return Duplicate, nil
	}
	e = &Entry{ID: id, Source: source, Attended: true}
	s.open[id] = e
	return New, e
}

// Superseding tells whether a claim for the entry reopens an answered request.
func (s *Shard) Superseding(e *Entry) bool { return s.seen.has(e.ID) }

// Answering says that an answer is about to be written with the time given, so
// that no checkpoint passes it by.
func (s *Shard) Answering(e *Entry, at time.Time) { s.answering[e.ID] = at }

// Published closes an entry: its result is held by all in-sync replicas.
func (s *Shard) Published(e *Entry) {
	if s.open[e.ID] == e && e.Step == Answered {
		s.close(e)
	}
}
