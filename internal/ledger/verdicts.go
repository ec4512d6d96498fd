package ledger

import (
	"bytes"
	"time"

	"reauth/internal/event"
)

// Standing is what the ledger knows of a verdict that its vendor may change.
type Standing struct {
	// Answered is when the request's first answer was written.
	Answered time.Time
	// Revision is that of the last result, Outcome what it said.
	Revision int
	Outcome  event.Outcome
}

// standing is a Standing in few bytes: there is one for each request of such a
// vendor in the window.
type standing struct {
	answered int64 // Unix milliseconds
	revision uint16
	outcome  uint8 // index in event.Outcomes
}

// verdicts are the standings of a shard, by the vendor's reference: some 60
// bytes each in Go's map.
type verdicts struct {
	window time.Duration
	of     map[ID]standing
}

func newVerdicts(window time.Duration) verdicts {
	return verdicts{window: window, of: map[ID]standing{}}
}

// revisableMark stands in every answer of a vendor that may change it. Quotes in
// a vendor's own texts are escaped.
var revisableMark = []byte(`"revisable":true`)

// noteStanding takes in an answer's standing if it has one, once its result is
// published: until then there is nothing to revise.
func (s *Shard) noteStanding(answered []byte, at time.Time) {
	if !bytes.Contains(answered, revisableMark) {
		return
	}
	if r, err := Decode(answered); err == nil {
		s.Stand(r.Answer.Reference, Standing{Answered: at, Revision: r.Revision, Outcome: r.Answer.Outcome})
	}
}

// Stand notes the verdict on an authentication that its vendor may change. A
// lower revision than the one known changes nothing.
func (s *Shard) Stand(reference string, v Standing) {
	id := IDOf(reference)
	former, known := s.verdicts.of[id]
	if known && v.Revision <= int(former.revision) {
		return
	}
	now := standing{answered: v.Answered.UnixMilli(), revision: uint16(v.Revision)}
	if known {
		now.answered = former.answered
	}
	for i, outcome := range event.Outcomes() {
		if outcome == v.Outcome {
			now.outcome = uint8(i)
		}
	}
	s.verdicts.of[id] = now
}

// Standing returns what is known of the verdict under a reference.
func (s *Shard) Standing(reference string) (v Standing, known bool) {
	now, known := s.verdicts.of[IDOf(reference)]
	if !known {
		return Standing{}, false
	}
	return Standing{
		Answered: time.UnixMilli(now.answered), Revision: int(now.revision), Outcome: event.Outcomes()[now.outcome],
	}, true
}

// forget drops what was answered before the window that ends now.
func (v *verdicts) forget(now time.Time) {
	before := now.Add(-v.window).UnixMilli()
	for id, s := range v.of {
		if s.answered < before {
			delete(v.of, id)
		}
	}
}
