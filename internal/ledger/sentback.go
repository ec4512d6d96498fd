package ledger

import (
	"bytes"

	"reauth/internal/event"
)

// A request that failed may be sent back: its record comes again, with how often it
// was sent back in its headers, and another result, with a higher revision, follows
// the failed one. What is written about it then supersedes the failure, whichever
// record comes first: a claim, a parking, or an answer if there was no call. Nothing
// but a failure of a lower revision is superseded. So a record of the same try that
// comes late reopens nothing, nor does a second one that was sent back after the same
// dead letter.

// revision is that of the result which the record leads to.
func (o *Original) revision() int { return 1 + event.Redrives(event.Record{Headers: o.Headers}) }

var revisionMark = []byte(`"revision":`)

// revisionOf returns the revision of the result which an answered record's value
// leads to.
func revisionOf(answered []byte) int {
	if !bytes.Contains(answered, revisionMark) {
		return 1
	}
	r, err := Decode(answered)
	if err != nil {
		return 1
	}
	return max(1, r.Revision)
}

// supersedable tells whether the last that is known of a request is a failure that
// a record with the revision supersedes.
func (s *Shard) supersedable(id ID, revision int) bool {
	e := s.open[id]
	if e == nil {
		failed, ok := s.failed[id]
		return ok && failed < revision
	}
	return e.Step == Answered && bytes.Contains(e.answered, failedMark) && revisionOf(e.answered) < revision
}

// supersede closes the failure that a record with the revision supersedes; false
// says that there is none. Only a failure whose result is published is sent back.
func (s *Shard) supersede(id ID, revision int) bool {
	if !s.supersedable(id, revision) {
		return false
	}
	if e := s.open[id]; e != nil {
		s.close(e)
	}
	return true
}
