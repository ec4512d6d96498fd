package ledger

import (
	"bytes"
	"container/heap"
	"math"
	"slices"
	"time"

	"reauth/internal/event"
)

// followUp is a FollowUp in few bytes: there is one for each request whose data
// the vendor is to anonymise in a month. Times are Unix milliseconds.
type followUp struct {
	requestID, reference string
	answered, written    int64
	archive, anonymise   int64 // 0: none
	// notBefore is when it may be taken at the earliest.
	notBefore int64
	audits    [MaxAudits]uint32 // seconds after answered; 0: none
	revision  uint16
	number    uint16
	vendor    uint8 // index in event.Vendors
	outcome   uint8 // index in event.Outcomes
	tries     uint8
	auditTry  uint8
	index     int32 // in the heap, -1 while it is taken
}

// full returns the follow-up as it goes over the wire.
func (e *followUp) full() FollowUp {
	f := FollowUp{
		Number: int(e.number), Vendor: event.Vendors()[e.vendor], Reference: e.reference,
		Answered: time.UnixMilli(e.answered), Revision: int(e.revision), Outcome: event.Outcomes()[e.outcome],
		Archive: timeOf(e.archive), Anonymise: timeOf(e.anonymise), Tries: int(e.tries), AuditTries: int(e.auditTry),
	}
	for _, after := range e.audits {
		if after > 0 {
			f.Audits = append(f.Audits, f.Answered.Add(time.Duration(after)*time.Second))
		}
	}
	return f
}

// take takes in what a record says. A revision never goes back: a record may have
// been made before the last one was known.
func (e *followUp) take(f FollowUp, at time.Time) {
	e.reference, e.answered, e.written = f.Reference, f.Answered.UnixMilli(), at.UnixMilli()
	e.archive, e.anonymise = millis(f.Archive), millis(f.Anonymise)
	e.audits = [MaxAudits]uint32{}
	for i, audit := range f.Audits {
		after := (audit.Sub(f.Answered) + time.Second - 1) / time.Second
		e.audits[i] = uint32(max(1, min(after, math.MaxUint32)))
	}
	e.number, e.tries, e.auditTry = uint16(f.Number), uint8(min(f.Tries, 255)), uint8(min(f.AuditTries, 255))
	e.vendor = uint8(slices.Index(event.Vendors(), f.Vendor))
	if f.Revision >= int(e.revision) {
		e.revise(f.Revision, f.Outcome)
	}
}

func (e *followUp) revise(revision int, outcome event.Outcome) {
	e.revision, e.outcome = uint16(revision), uint8(max(0, slices.Index(event.Outcomes(), outcome)))
}

// due is when the follow-up is to be taken.
func (e *followUp) due() int64 {
	due := e.archive
	if due == 0 {
		due = e.anonymise
	}
	if audit := e.answered + int64(e.audits[0])*1000; e.audits[0] > 0 && (due == 0 || audit < due) {
		due = audit
	}
	return max(due, e.notBefore)
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// followUps are those of a shard, by the vendor's reference. One costs some 240
// bytes in all, measured on Go 1.26 as the heap in use with ids of 36 characters
// and references of 30; a test holds it under 320.
type followUps struct {
	of   map[ID]*followUp
	heap dueFollowUps
	// oldest is a time before which none was written last.
	oldest int64
}

func newFollowUps() followUps { return followUps{of: map[ID]*followUp{}} }

// followMark stands in every answer that is followed up. Quotes in a vendor's own
// texts are escaped.
var followMark = []byte(`"follow_up":{`)

// followAnswer takes in an answer's follow-up if it has one.
func (s *Shard) followAnswer(requestID string, answered []byte, at time.Time) {
	if r, err := Decode(answered); err == nil && r.FollowUp != nil {
		s.followed(requestID, *r.FollowUp, at)
	}
}

// followed takes in what a record says is left to be done.
func (s *Shard) followed(requestID string, f FollowUp, at time.Time) {
	x := &s.followUps
	id := IDOf(f.Reference)
	e := x.of[id]
	if e != nil && f.Number < int(e.number) {
		return
	}
	if task, _ := f.Next(); task == "" {
		x.drop(id, e)
		return
	}
	if e == nil {
		e = &followUp{requestID: requestID, index: -1}
		x.of[id] = e
	} else if e.index >= 0 {
		heap.Remove(&x.heap, int(e.index))
	}
	e.take(f, at)
	x.oldest = min(x.oldest, e.written)
	e.notBefore = 0
	heap.Push(&x.heap, e)
}

func (x *followUps) drop(id ID, e *followUp) {
	if e == nil {
		return
	}
	delete(x.of, id)
	if e.index >= 0 {
		heap.Remove(&x.heap, int(e.index))
	}
}

// followRevised notes that the verdict under a reference was changed.
func (s *Shard) followRevised(reference string, revision int, outcome event.Outcome) {
	if e := s.followUps.of[IDOf(reference)]; e != nil && revision > int(e.revision) {
		e.revise(revision, outcome)
	}
}

// FollowUps returns how many follow-ups there are.
func (s *Shard) FollowUps() int { return len(s.followUps.of) }

// FollowUpDue returns when the next follow-up is to be taken, false if there is
// none but those that are taken.
func (s *Shard) FollowUpDue() (due time.Time, ok bool) {
	if len(s.followUps.heap) == 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(s.followUps.heap[0].due()), true
}

// TakeFollowUp returns the first follow-up that is due, false if none is. It is
// not returned again before a record of it is taken in, or PutBack is called.
func (s *Shard) TakeFollowUp(now time.Time) (requestID string, f FollowUp, ok bool) {
	x := &s.followUps
	if len(x.heap) == 0 || x.heap[0].due() > now.UnixMilli() {
		return "", FollowUp{}, false
	}
	e := heap.Pop(&x.heap).(*followUp)
	return e.requestID, e.full(), true
}

// FollowUp returns what is left to be done about a reference, false if nothing
// is.
func (s *Shard) FollowUp(reference string) (f FollowUp, ok bool) {
	e := s.followUps.of[IDOf(reference)]
	if e == nil {
		return FollowUp{}, false
	}
	return e.full(), true
}

// Unpublished tells whether a request is answered and its result not known to be
// published: then there is nothing to revise yet.
func (s *Shard) Unpublished(requestID string) bool {
	e := s.open[IDOf(requestID)]
	return e != nil && e.Step == Answered
}

// PutBack lets a follow-up be taken again, at until at the earliest.
func (s *Shard) PutBack(reference string, until time.Time) {
	e := s.followUps.of[IDOf(reference)]
	if e == nil || e.index >= 0 {
		return
	}
	e.notBefore = until.UnixMilli()
	heap.Push(&s.followUps.heap, e)
}

// Kept is a record that is to be written again, with its key.
type Kept struct {
	RequestID string
	Record    Record
}

// StaleFollowUps returns the follow-ups whose last record was written before the
// time: written again as they are, a restore goes on meeting them. Those that are
// taken will have another record soon.
func (s *Shard) StaleFollowUps(before time.Time) (stale []Kept) {
	x := &s.followUps
	if len(x.of) == 0 || x.oldest >= before.UnixMilli() {
		return nil
	}
	oldest := before.UnixMilli()
	for _, e := range x.of {
		if e.written < before.UnixMilli() {
			stale = append(stale, Kept{e.requestID, e.full().Record()})
			oldest = min(oldest, e.written)
		}
	}
	x.oldest = oldest
	return stale
}

// Rewritten says that a stale follow-up was written again as it was.
func (s *Shard) Rewritten(k Kept, at time.Time) {
	e := s.followUps.of[IDOf(k.Record.FollowUp.Reference)]
	if e != nil && int(e.number) == k.Record.FollowUp.Number {
		e.written = at.UnixMilli()
	}
}

// isFollowed tells whether an answer's record has a follow-up.
func isFollowed(value []byte) bool { return bytes.Contains(value, followMark) }

// dueFollowUps orders follow-ups by when they are to be taken.
type dueFollowUps []*followUp

func (h dueFollowUps) Len() int           { return len(h) }
func (h dueFollowUps) Less(i, j int) bool { return h[i].due() < h[j].due() }
func (h dueFollowUps) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = int32(i), int32(j)
}

func (h *dueFollowUps) Push(x any) {
	e := x.(*followUp)
	e.index = int32(len(*h))
	*h = append(*h, e)
}

func (h *dueFollowUps) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.index = -1
	return e
}
