package ledger

import (
	"bytes"
	"fmt"
	"time"

	"reauth/internal/event"
)

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
