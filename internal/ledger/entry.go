package ledger

import "time"

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
