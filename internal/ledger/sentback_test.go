package ledger

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reauth/internal/event"
)

// nth is a record about the try that leads to a revision, whose request's record
// stands at the offset.
func nth(revision int, offset int64, r Record) Record {
	r.Source = source(offset)
	switch {
	case revision == 1:
	case r.Step == Parked:
		original := *r.Original
		original.Headers = []event.Header{{Key: event.HeaderRedrive, Value: []byte(strconv.Itoa(revision - 1))}}
		r.Original = &original
	default:
		r.Revision, r.Supersede = revision, r.Step == Claimed
	}
	return r
}

func TestWhatFollowsAFailureThatWasSentBack(t *testing.T) {
	later := noon.Add(time.Minute)
	published := Record{Step: Checkpoint, Published: &later}
	named := published
	named.Failed = []ID{IDOf("r")}
	failed := []Record{nth(1, 1, claim(1, "a", later)), nth(1, 1, answer(1, event.Failed))}
	uncalled := nth(2, 5, answer(0, event.Withdrawn))
	again := nth(2, 5, answer(0, event.Failed))
	approved := nth(2, 5, answer(1, event.Approved))
	held := nth(2, 5, parking(0, later))
	type asked struct {
		offset   int64
		revision int
		want     Admission
	}
	for name, c := range map[string]struct {
		log  []Record
		asks []asked
	}{
		"answered without a call":         {[]Record{uncalled}, []asked{{5, 2, Unsettled}, {1, 1, Duplicate}, {9, 2, Duplicate}, {9, 3, Duplicate}}},
		"and published":                   {[]Record{uncalled, published}, []asked{{5, 2, Duplicate}, {1, 1, Duplicate}, {9, 3, Duplicate}}},
		"parked without a call":           {[]Record{held}, []asked{{1, 1, Adopted}, {5, 2, Duplicate}}},
		"claimed":                         {[]Record{nth(2, 5, claim(1, "b", later))}, []asked{{5, 2, Unsettled}, {1, 1, Duplicate}}},
		"parked, claimed and answered":    {[]Record{held, nth(2, 5, claim(1, "b", later)), approved, published}, []asked{{5, 2, Duplicate}, {9, 3, Duplicate}}},
		"failed again":                    {[]Record{again, published}, []asked{{5, 2, Duplicate}, {9, 2, Duplicate}, {9, 3, New}}},
		"failed again, and named as done": {[]Record{again, named}, []asked{{5, 2, Duplicate}, {9, 2, Duplicate}, {9, 3, New}}},
		"failed again, not published":     {[]Record{again}, []asked{{9, 2, Duplicate}, {9, 3, Premature}, {5, 2, Unsettled}}},
		"failed again, a late answer":     {[]Record{again, published, uncalled}, []asked{{5, 2, Duplicate}, {9, 3, New}}},
		"failed again, a late parking":    {[]Record{again, published, held}, []asked{{5, 2, Duplicate}, {9, 3, New}}},
		"failed again, a late claim":      {[]Record{again, published, nth(2, 5, claim(1, "a", later))}, []asked{{5, 2, Duplicate}, {9, 3, New}}},
		"approved, late failure":          {[]Record{approved, published, again}, []asked{{5, 2, Duplicate}, {9, 3, Duplicate}}},
		"approved, a late claim":          {[]Record{approved, published, nth(2, 5, claim(1, "a", later))}, []asked{{5, 2, Duplicate}}},
		"approved, a late parking":        {[]Record{approved, published, held}, []asked{{5, 2, Duplicate}}},
		"a late answer to the first try":  {[]Record{published, nth(1, 1, answer(0, event.Withdrawn))}, []asked{{1, 1, Duplicate}, {9, 2, New}}},
		"a late parking of the first try": {[]Record{published, nth(1, 1, parking(1, later))}, []asked{{1, 1, Duplicate}, {9, 2, New}}},
		"claimed as before revisions":     {[]Record{{Step: Claimed, Claim: 1, Owner: "b", Until: &later, Supersede: true, Source: source(5)}}, []asked{{5, 2, Unsettled}}},
		"its first answer is not out yet": {nil, []asked{{9, 2, Premature}, {1, 1, Unsettled}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := replay(t, "r", append(failed[:2:2], c.log...)...)
			for _, ask := range c.asks {
				if ask.want == New { // it would be open then
					s = replay(t, "r", append(failed[:2:2], c.log...)...)
				}
				if got, _ := s.Admit("r", source(ask.offset), ask.revision); got != ask.want {
					t.Errorf("admission %d of the record at %d for revision %d, want %d", got, ask.offset, ask.revision, ask.want)
				}
			}
		})
	}
}

// Whatever befell a request, and whatever comes late or twice, whoever takes the
// shard over begins none of its tries anew, and lets it be sent back if and only if
// it failed.
func TestNoTryOfARequestThatWasSentBackIsBegunAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log []Record
		later := noon.Add(time.Hour)
		tries := rapid.IntRange(1, 4).Draw(t, "tries")
		var outcome event.Outcome
		for revision := 1; revision <= tries; revision++ {
			write := func(r Record) { log = append(log, nth(revision, int64(revision), r)) }
			claims := 0
			for range rapid.IntRange(0, 3).Draw(t, "steps before the answer") {
				if rapid.Bool().Draw(t, "claims") {
					claims++
					write(claim(claims, "a", later))
				} else {
					write(parking(claims, later))
				}
			}
			outcome = event.Failed
			if revision == tries {
				outcome = rapid.SampledFrom([]event.Outcome{event.Failed, event.Withdrawn, event.Approved}).Draw(t, "outcome")
			}
			write(answer(claims, outcome))
			if rapid.Bool().Draw(t, "a checkpoint") {
				log = append(log, Record{Step: Checkpoint, Published: &later})
			}
		}
		for range rapid.IntRange(0, 4).Draw(t, "late records") {
			log = append(log, rapid.SampledFrom(log).Draw(t, "late"))
		}
		s := NewShard(24 * time.Hour)
		for i, r := range log {
			key := "r"
			if r.Step == Checkpoint {
				key = ""
			}
			if err := s.Apply([]byte(key), r.Encode(), noon.Add(time.Duration(i)*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		if live := s.Restored(map[string]int64{"requests": int64(tries) + 1}); len(live) > 1 {
			t.Fatalf("%d entries of one request", len(live))
		}
		s.confirm(later)
		for revision := 1; revision <= tries; revision++ {
			if got, _ := s.Admit("r", source(int64(revision)), revision); got != Duplicate {
				t.Errorf("admission %d of the record for revision %d of %d", got, revision, tries)
			}
		}
		want := Duplicate
		if outcome == event.Failed {
			want = New
		}
		if got, _ := s.Admit("r", source(99), tries+1); got != want {
			t.Errorf("admission %d of a request that was sent back after it was %s", got, outcome)
		}
	})
}

// A reader of before revisions passes them over; what it wrote is read as ever.
func TestRevisionsOnTheWire(t *testing.T) {
	const claimed = `{"step":"claimed","claim":1,"source":{"topic":"requests","offset":5},"owner":"a","until":"2026-03-01T12:01:00Z","called":"2026-03-01T12:00:00Z","vendor":"argos","supersede":true,"revision":2}`
	r := nth(2, 5, claim(1, "a", noon.Add(time.Minute)))
	if got := string(r.Encode()); got != claimed {
		t.Errorf("a claim is written as\n%s, want\n%s", got, claimed)
	}
	if scanned, ok := (&scanner{names: &names{}, spent: &spent{}}).claim(r.Encode()); !ok || scanned.Revision != 2 {
		t.Errorf("a claim of revision 2 is scanned as one of revision %d, %v", scanned.Revision, ok)
	}
	const answered = `{"step":"answered","source":{"topic":"requests","offset":5},"answer":{"outcome":"withdrawn","timings_ms":{"queued":0,"selfie":0,"permit":0,"vendor":0,"total":0},"completed_at":"2026-03-01T12:00:00Z"},"revision":2}`
	if got := string(nth(2, 5, answer(0, event.Withdrawn)).Encode()); got != answered {
		t.Errorf("an answer is written as\n%s, want\n%s", got, answered)
	}
	first := nth(1, 1, answer(0, event.Withdrawn)).Encode()
	if strings.Contains(string(first), "revision") || revisionOf(first) != 1 || revisionOf([]byte(answered)) != 2 {
		t.Errorf("the answer to a first try: revision %d of\n%s", revisionOf(first), first)
	}
}
