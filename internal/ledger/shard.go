package ledger

import (
	"bytes"
	"fmt"
	"time"

	"reauth/internal/event"
)

// Entry is what the ledger knows of one request that is not closed: not
// answered, or answered without a word that its result is published.
type Entry struct {
	ID ID
	// Step is empty for a request that is being worked on and has not
	// reached the ledger yet.
	Step   Step
	Claim  int
	Source Source
	// Until is the end of the last claim, also when an answer ended it: its
	// owner may still be publishing.
	Until time.Time
	// Called is since when a call of unknown outcome may have been made, zero
	// if none was.
	Called          time.Time
	Attempts, Calls int
	Due             time.Time
	// Attended: whoever uses the ledger knows of the request and looks after
	// it. An entry that came with a late record of a former owner is not.
	Attended bool

	at       time.Time // of the answer, or of the last parked record
	answered []byte    // the answered record's value
	// Once parked: the request id, the reason, and the request's record.
	key, why string
	original *Original
	// selfie is that of the call of unknown outcome, nil if nobody knows.
	selfie *Selfie
	// verdict is that of the last parked record, nil if none is to come; a
	// claim leaves it as it is.
	verdict *pendingVerdict
	// spend is what the request may cost, nil if nothing. Once Reserve has set
	// it, it is kept: a record of ours that is read back is older than that.
	spend     *Spend
	spendKept bool
}

// pendingVerdict is what the vendor said of a verdict that is still to come.
type pendingVerdict struct{ state, reference string }

// Pending returns the vendor's state and reference of a verdict that is still to
// come, empty if there is none.
func (e *Entry) Pending() (state, reference string) {
	if e.verdict == nil {
		return "", ""
	}
	return e.verdict.state, e.verdict.reference
}

// Answer returns the answer; the entry must be answered.
func (e *Entry) Answer() (Answer, error) {
	r, err := Decode(e.answered)
	if err != nil {
		return Answer{}, err
	}
	return *r.Answer, nil
}

// Original returns the request's record if the request was parked, nil if not:
// then its source is not done, and will be read again.
func (e *Entry) Original() *Original { return e.original }

// Why returns the reason of the last parked record.
func (e *Entry) Why() string { return e.why }

// Parking returns the request id and the value of the last parked record. That of a
// request that has been claimed since ends nothing while the claim is known, and says
// after that what the claim said: a call may have been made.
func (e *Entry) Parking() (requestID string, value []byte) {
	state, reference := e.Pending()
	claim := e.Claim
	if e.Step == Claimed {
		claim--
	}
	r := Record{
		Step: Parked, Spend: e.spend, Claim: claim, Source: e.Source, Attempts: e.Attempts, Calls: e.Calls,
		Due: &e.Due, Why: e.why, State: state, Reference: reference, Original: e.original,
	}
	if !e.Called.IsZero() {
		r.Unknown, r.Called, r.Selfie = true, &e.Called, e.Selfie()
	}
	return e.key, r.Encode()
}

// AnsweredAt returns when the answer was written, by its writer's clock.
func (e *Entry) AnsweredAt() time.Time { return e.at }

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

// Apply takes in a record as it stands in the log: key, value and the time that
// its writer gave it. Its error wraps ErrUnreadable; the record is then ignored.
func (s *Shard) Apply(key, value []byte, at time.Time) error {
	if step := stepOf(value); len(key) == 0 && step != Checkpoint && step != Summed {
		return fmt.Errorf("%w: no key", ErrUnreadable)
	}
	if looksAnswered(value) {
		// By far the most records of a restore, and of nearly all of them
		// nothing but the id will ever be asked for.
		if s.answered(IDOf(string(key)), value, at) && isFollowed(value) {
			s.followAnswer(string(key), value, at)
		}
		return nil
	}
	r, scanned := s.scanner.claim(value)
	if !scanned {
		var err error
		if r, err = Decode(value); err != nil {
			return err
		}
	}
	if r.Step == Claimed {
		s.tellOf(r, at)
		if !isAsked(key) {
			s.claimed(IDOf(string(key)), r) // and not step, for which the key would be copied
		}
		return nil
	}
	if IsOrder(key) != (r.Step == Ordered) || r.Step == Ordered && r.Order.Key() != string(key) {
		return fmt.Errorf("%w: its key is not that of its order", ErrUnreadable)
	}
	s.step(string(key), r, value, at)
	return nil
}

// tellOf tells of a claim that was read, with the time that its writer gave it.
func (s *Shard) tellOf(r Record, at time.Time) {
	if s.onClaim == nil {
		return
	}
	if r.Called != nil {
		at = *r.Called
	}
	s.onClaim(r.Vendor, at)
}

// Note takes in a record that we wrote ourselves, once it is in the log.
func (s *Shard) Note(requestID string, r Record, value []byte, at time.Time) {
	s.step(requestID, r, value, at)
}

func (s *Shard) step(requestID string, r Record, value []byte, at time.Time) {
	switch r.Step {
	case Claimed:
		s.claimed(IDOf(requestID), r)
	case Answered:
		if s.answered(IDOf(requestID), value, at) && r.FollowUp != nil {
			s.followed(requestID, *r.FollowUp, at)
		}
	case Parked:
		s.parked(requestID, r, at)
	case Checkpoint:
		s.confirm(*r.Published)
		s.closed(r, at)
		s.marked(r, at)
	case Revised:
		if e := s.open[IDOf(requestID)]; e != nil && e.Step == Answered {
			s.noteStanding(e.answered, e.at) // its result is published, or it could not be revised
		}
		s.Stand(r.Answer.Reference, Standing{Answered: at, Revision: r.Revision, Outcome: r.Answer.Outcome})
		s.followRevised(r.Answer.Reference, r.Revision, r.Answer.Outcome)
	case Ordered:
		s.ordered(*r.Order, at)
	case Summed:
		s.spent.summed(*r.Spent)
	case Followed:
		s.followed(requestID, *r.FollowUp, at)
	}
}

// claimed: the first claim of a number wins; a lower number is from somebody
// who has not seen what we have.
func (s *Shard) claimed(id ID, r Record) {
	superseding := r.Revision > 1 && s.supersede(id, r.Revision)
	e := s.open[id]
	if r.Supersede && r.Revision == 0 { // of before claims had revisions
		superseding = true
		if e != nil && e.Step == Answered {
			s.close(e)
			e = nil
		}
	}
	if e == nil {
		if s.seen.has(id) && !superseding {
			return
		}
		e = &Entry{ID: id}
		s.open[id] = e
	}
	if r.Claim <= e.Claim || e.Step == Answered {
		// It counts for nothing but its end: whoever wrote it may act until then.
		if r.Until.After(e.Until) {
			e.Until = *r.Until
		}
		return
	}
	e.Claim, e.Until, e.Source = r.Claim, *r.Until, r.Source
	e.Attempts, e.Calls = r.Attempts, r.Calls
	e.Step = Claimed
	s.spendAsRead(e, r.Spend)
	switch {
	case e.Called.IsZero():
		e.setSelfie(r.Selfie)
	case e.Selfie() != r.Selfie:
		e.selfie = nil // a verdict that is found may be of either
	}
	if r.Called != nil && e.Called.IsZero() {
		e.Called = *r.Called
	}
}

// answered: the first answer wins, and ends whatever went before; also
// one that comes late, since it was paid for. After a failure that was sent back
// there is another one to win. False says that it did not.
func (s *Shard) answered(id ID, value []byte, at time.Time) bool {
	delete(s.answering, id)
	e := s.open[id]
	if e == nil && s.seen.has(id) || e != nil && e.Step == Answered {
		if !s.supersede(id, revisionOf(value)) {
			return false
		}
		e = nil
	}
	if e == nil {
		// No claim went before: no call was made, or the claim is older than
		// the window. The answer itself says where its request is.
		e = &Entry{ID: id}
		if r, err := Decode(value); err == nil {
			e.Source = Source{s.names.get([]byte(r.Source.Topic)), r.Source.Offset}
		}
		s.open[id] = e
	}
	e.Step, e.answered, e.at = Answered, value, at
	e.selfie = nil // the answer says it
	s.spend(e, nil)
	if v := s.scanner.answerSpend(value); v != nil {
		s.spent.charge(*v, at)
	}
	s.unconfirmed = append(s.unconfirmed, e)
	return true
}

// parked: a parking ends the claim that it names, or an earlier parking.
func (s *Shard) parked(requestID string, r Record, at time.Time) {
	id := IDOf(requestID)
	superseding := s.supersede(id, r.Original.revision())
	e := s.open[id]
	switch {
	case e == nil && s.seen.has(id) && !superseding:
		return
	case e == nil:
		e = &Entry{ID: id}
		s.open[id] = e
	case e.Step == Answered:
		return
	case r.Claim < e.Claim:
		// It ends no claim that it does not know of. But the request's record is
		// done: from here on it lives in the ledger.
		if e.original == nil {
			e.key, e.original, e.Due = requestID, r.Original, *r.Due
		}
		e.at = at
		return
	}
	e.Step, e.Claim = Parked, r.Claim
	s.spendAsRead(e, r.Spend)
	e.Source = Source{s.names.get([]byte(r.Source.Topic)), r.Source.Offset}
	e.Attempts, e.Calls = r.Attempts, r.Calls
	e.Due, e.at = *r.Due, at
	e.key, e.why, e.original = requestID, s.names.get([]byte(r.Why)), r.Original
	e.verdict = nil
	if r.State != "" || r.Reference != "" {
		e.verdict = &pendingVerdict{r.State, r.Reference}
	}
	e.Called, e.selfie = time.Time{}, nil
	if r.Unknown && r.Called != nil {
		e.Called = *r.Called
		e.setSelfie(r.Selfie)
	}
}

// confirm closes what was answered up to the time.
func (s *Shard) confirm(published time.Time) {
	kept := s.unconfirmed[:0]
	for _, e := range s.unconfirmed {
		switch {
		case s.open[e.ID] != e: // closed already
		case e.at.After(published):
			kept = append(kept, e)
		default:
			s.close(e)
		}
	}
	clear(s.unconfirmed[len(kept):])
	s.unconfirmed = kept
}

// failedMark stands in every answer with the outcome failed. No code or message
// of a vendor can hold it: quotes in them are escaped.
var failedMark = []byte(`"outcome":"` + string(event.Failed) + `"`)

// close forgets all of an answered entry but its id.
func (s *Shard) close(e *Entry) {
	s.noteStanding(e.answered, e.at)
	s.seen.add(e.ID, e.at)
	if bytes.Contains(e.answered, failedMark) {
		s.failed[e.ID] = revisionOf(e.answered)
	} else {
		delete(s.failed, e.ID)
	}
	delete(s.open, e.ID)
}

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
