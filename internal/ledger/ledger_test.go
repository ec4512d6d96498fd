package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"reauth/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func source(offset int64) Source { return Source{Topic: "requests", Offset: offset} }

func claim(n int, owner string, until time.Time) Record {
	return Record{Step: Claimed, Claim: n, Owner: owner, Until: &until, Called: &noon, Vendor: event.Argos, Source: source(7)}
}

func answer(n int, outcome event.Outcome) Record {
	return Record{Step: Answered, Claim: n, Answer: &Answer{Outcome: outcome, CompletedAt: noon}}
}

func parking(n int, due time.Time) Record {
	return Record{Step: Parked, Claim: n, Source: source(7), Due: &due, Why: "retry", Attempts: n, Original: &Original{Value: "{}", Time: noon}}
}

// replay applies records to a new shard, each a second after the one before.
func replay(t testing.TB, id string, records ...Record) *Shard {
	s := NewShard(24 * time.Hour)
	apply(t, s, id, records...)
	return s
}

func apply(t testing.TB, s *Shard, id string, records ...Record) {
	t.Helper()
	for i, r := range records {
		if err := s.Apply([]byte(id), r.Encode(), noon.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAdmission(t *testing.T) {
	later := noon.Add(time.Minute)
	checkpoint := Record{Step: Checkpoint, Published: &later}
	uncalled := answer(0, event.Unusable)
	uncalled.Source = source(7)
	cases := map[string]struct {
		log      []Record
		source   Source
		revision int
		want     Admission
	}{
		"nothing known":                              {nil, source(7), 1, New},
		"claimed, its own record again":              {[]Record{claim(1, "a", later)}, source(7), 1, Unsettled},
		"claimed, another record":                    {[]Record{claim(1, "a", later)}, source(9), 1, Duplicate},
		"answered, its own record again":             {[]Record{claim(1, "a", later), answer(1, event.Approved)}, source(7), 1, Unsettled},
		"answered, another record":                   {[]Record{claim(1, "a", later), answer(1, event.Approved)}, source(9), 1, Duplicate},
		"published":                                  {[]Record{claim(1, "a", later), answer(1, event.Approved), checkpoint}, source(7), 1, Duplicate},
		"parked by a record that came late":          {[]Record{claim(1, "a", later), parking(1, later)}, source(7), 1, Adopted},
		"failed and superseded, no checkpoint":       {[]Record{claim(1, "a", later), answer(1, event.Failed), supersede(claim(1, "a", later))}, source(7), 1, Unsettled},
		"failed":                                     {[]Record{claim(1, "a", later), answer(1, event.Failed), checkpoint}, source(9), 1, Duplicate},
		"failed, sent back":                          {[]Record{claim(1, "a", later), answer(1, event.Failed), checkpoint}, source(9), 2, New},
		"approved, sent back":                        {[]Record{claim(1, "a", later), answer(1, event.Approved), checkpoint}, source(9), 2, Duplicate},
		"answered late by the owner before":          {[]Record{claim(1, "a", later), claim(2, "b", later), answer(1, event.Approved), checkpoint}, source(7), 1, Duplicate},
		"parked late by the owner before":            {[]Record{claim(1, "a", later), claim(2, "b", later), parking(1, later)}, source(7), 1, Adopted},
		"claimed late by the owner before":           {[]Record{claim(1, "b", later), answer(1, event.Approved), checkpoint, claim(1, "a", later)}, source(9), 1, Duplicate},
		"answer of a claim before the window":        {[]Record{answer(3, event.Approved), checkpoint}, source(7), 1, Duplicate},
		"claimed after parking, its record is done":  {[]Record{claim(1, "a", later), parking(1, later), claim(2, "a", later)}, source(7), 1, Adopted},
		"answered, a checkpoint from before it":      {[]Record{checkpoint, claim(1, "a", later), answer(1, event.Approved)}, source(7), 1, Unsettled},
		"failed and not published, sent back":        {[]Record{claim(1, "a", later), answer(1, event.Failed)}, source(9), 2, Premature},
		"approved and not published, sent back":      {[]Record{claim(1, "a", later), answer(1, event.Approved)}, source(9), 2, Duplicate},
		"answered without a call, its record again":  {[]Record{uncalled}, source(7), 1, Unsettled},
		"answered without a call, another record":    {[]Record{uncalled}, source(9), 1, Duplicate},
		"failed, superseded and approved, sent back": {[]Record{claim(1, "a", later), answer(1, event.Failed), checkpoint, supersede(claim(1, "a", later)), answer(1, event.Approved), checkpoint}, source(9), 2, Duplicate},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := replay(t, "r", c.log...)
			if got, _ := s.Admit("r", c.source, c.revision); got != c.want {
				t.Errorf("admission %d, want %d", got, c.want)
			}
			if got, _ := s.Admit("other", source(8), 1); got != New {
				t.Errorf("another request's admission is %d", got)
			}
		})
	}
}

func supersede(r Record) Record {
	r.Supersede = true
	return r
}

func TestAdmittedRequestIsADuplicate(t *testing.T) {
	s := NewShard(time.Hour)
	s.Admit("r", source(1), 1)
	if got, _ := s.Admit("r", source(2), 1); got != Duplicate {
		t.Errorf("admission of a second record is %d", got)
	}
}

func TestFirstClaimOfANumberWins(t *testing.T) {
	first, second := claim(1, "a", noon.Add(time.Minute)), claim(1, "b", noon.Add(time.Hour))
	first.Attempts, second.Attempts = 3, 7
	s := replay(t, "r", first, second)
	_, e := s.Admit("r", source(7), 1)
	if e.Attempts != 3 {
		t.Errorf("the second claim of a number counts: %d attempts", e.Attempts)
	}
	// Both owners may be acting on theirs.
	if !e.Until.Equal(noon.Add(time.Hour)) {
		t.Errorf("settled at %v, while a claim lasts until %v", e.Until, noon.Add(time.Hour))
	}
}

func TestParkedRequestIsAdoptedOnce(t *testing.T) {
	s := replay(t, "r", claim(1, "a", noon), parking(1, noon))
	if got, _ := s.Admit("r", source(7), 1); got != Adopted {
		t.Errorf("admission %d", got)
	}
	if got, _ := s.Admit("r", source(9), 1); got != Duplicate {
		t.Errorf("second admission %d", got)
	}
	s = replay(t, "r", claim(1, "a", noon), parking(1, noon))
	s.Restored(nil)
	if got, _ := s.Admit("r", source(7), 1); got != Duplicate {
		t.Errorf("admission %d of a request that was restored", got)
	}
}

func TestUnknownOutcomeIsRememberedFromTheFirstCallOn(t *testing.T) {
	first, second := noon.Add(time.Second), noon.Add(time.Hour)
	a, b := claim(1, "a", noon.Add(time.Minute)), claim(2, "b", noon.Add(2*time.Hour))
	a.Called, b.Called = &first, &second
	s := replay(t, "r", a, b)
	if _, e := s.Admit("r", source(7), 1); !e.Called.Equal(first) {
		t.Errorf("look for a call since %v, the first was at %v", e.Called, first)
	}
	known := parking(2, noon.Add(3*time.Hour))
	s = replay(t, "r", a, b, known)
	if e := s.Restored(nil)[0]; !e.Called.IsZero() {
		t.Error("a call whose outcome is known is looked for")
	}
	unknown := known
	unknown.Unknown, unknown.Called = true, &first
	s = replay(t, "r", a, b, unknown)
	if e := s.Restored(nil)[0]; !e.Called.Equal(first) {
		t.Errorf("look for a call since %v", e.Called)
	}
}

func TestRestoredFindsWhatLivesInTheLedger(t *testing.T) {
	later := noon.Add(time.Hour)
	s := NewShard(24 * time.Hour)
	apply(t, s, "parked", claim(1, "a", later), parking(1, later))
	apply(t, s, "parked and claimed", claim(1, "a", later), parking(1, later), claim(2, "a", later))
	apply(t, s, "parked and answered", claim(1, "a", later), parking(1, later), claim(2, "a", later), answer(2, event.Approved))
	apply(t, s, "claimed", claim(1, "a", later))
	apply(t, s, "answered", claim(1, "a", later), answer(1, event.Approved))
	got := map[ID]Step{}
	for _, e := range s.Restored(map[string]int64{"requests": 0}) {
		got[e.ID] = e.Step
		if original := e.Original(); original.Value != "{}" {
			t.Errorf("original %v", original)
		}
	}
	want := map[ID]Step{IDOf("parked"): Parked, IDOf("parked and claimed"): Claimed, IDOf("parked and answered"): Answered}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCommittedSourceIsPublished(t *testing.T) {
	later := noon.Add(time.Hour)
	s := replay(t, "r", claim(1, "a", later), answer(1, event.Approved))
	s.Restored(map[string]int64{"requests": 8})
	if got, _ := s.Admit("r", source(7), 1); got != Duplicate {
		t.Errorf("admission %d of a request whose record is committed", got)
	}
	if open, answered := s.Len(); open != 0 || answered != 1 {
		t.Errorf("%d open, %d answered", open, answered)
	}
}

func TestCheckpointNeverCoversWhatIsNotPublished(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewShard(24 * time.Hour)
		now := noon
		unpublished := map[string]time.Time{}
		entries := map[string]*Entry{}
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0: // an answer begins to be written
				id := fmt.Sprint(i)
				_, e := s.Admit(id, source(int64(i)), 1)
				s.Answering(e, now)
				unpublished[id], entries[id] = now, e
			case 1: // an answer lands, or its result does
				for id, e := range entries {
					if e.Step != Answered {
						r := answer(1, event.Approved)
						s.Note(id, r, r.Encode(), unpublished[id])
					} else {
						s.Published(e)
						delete(unpublished, id)
						delete(entries, id)
					}
					break
				}
			case 2:
				published := s.Checkpoint(now)
				for id, at := range unpublished {
					if !at.After(published) {
						t.Fatalf("the checkpoint at %v covers %s, answered at %v and not published", published, id, at)
					}
				}
				if len(unpublished) == 0 && !published.Equal(now) {
					t.Fatalf("the checkpoint stands at %v with everything published", published)
				}
			}
		}
	})
}

// Whatever order records come in, an answer is never forgotten within the
// window, and a later record never reopens an answered request.
func TestAnsweredStaysAnswered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewShard(24 * time.Hour)
		answered := false
		for i := range rapid.IntRange(1, 30).Draw(t, "records") {
			n := rapid.IntRange(1, 4).Draw(t, "claim")
			owner := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "owner")
			var r Record
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				r = claim(n, owner, noon.Add(time.Hour))
			case 1:
				r = parking(n, noon.Add(time.Hour))
			case 2:
				r = answer(n, event.Approved)
				answered = true
			case 3:
				at := noon.Add(time.Duration(i) * time.Second)
				r = Record{Step: Checkpoint, Published: &at}
			}
			if err := s.Apply([]byte("r"), r.Encode(), noon.Add(time.Duration(i)*time.Second)); err != nil {
				t.Fatal(err)
			}
			if answered {
				e := s.open[IDOf("r")]
				if (e == nil || e.Step != Answered) && !s.seen.has(IDOf("r")) {
					t.Fatalf("record %d (%s) made the answer forgotten", i, r.Step)
				}
				if e != nil && e.Step != Answered {
					t.Fatalf("record %d (%s) reopened an answered request", i, r.Step)
				}
			}
		}
	})
}

func TestAnswerOfNobodysRequestDoesNotHoldUpCheckpointsForEver(t *testing.T) {
	s := replay(t, "stray", answer(1, event.Approved))
	if at := s.Checkpoint(noon.Add(time.Hour)); at.After(noon) {
		t.Fatalf("checkpoint %s passes an answer that may not be published", at)
	}
	now := noon.Add(25 * time.Hour)
	s.Forget(now)
	if at := s.Checkpoint(now); !at.Equal(now) {
		t.Errorf("checkpoint %s a window later, want %s", at, now)
	}
}

func TestStandingOfAVerdictThatMayChange(t *testing.T) {
	first := answer(1, event.Approved)
	first.Answer.Reference, first.Answer.Revisable, first.Revision = "fav_1", true, 1
	changed := Record{Step: Revised, Revision: 2, Answer: &Answer{Outcome: event.Rejected, Reference: "fav_1", CompletedAt: noon}}
	plain := answer(1, event.Approved)
	plain.Answer.Reference = "auth-1"
	later := noon.Add(time.Minute)
	published := Record{Step: Checkpoint, Published: &later}
	for name, c := range map[string]struct {
		log       []Record
		reference string
		want      Standing
	}{
		"not published":     {[]Record{claim(1, "a", later), first}, "fav_1", Standing{}},
		"first answer":      {[]Record{claim(1, "a", later), first, published}, "fav_1", Standing{noon.Add(time.Second), 1, event.Approved}},
		"changed":           {[]Record{claim(1, "a", later), first, changed}, "fav_1", Standing{noon.Add(time.Second), 2, event.Rejected}},
		"repeated":          {[]Record{claim(1, "a", later), first, changed, first}, "fav_1", Standing{noon.Add(time.Second), 2, event.Rejected}},
		"not to be changed": {[]Record{claim(1, "a", later), plain}, "auth-1", Standing{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := replay(t, "r", c.log...)
			got, known := s.Standing(c.reference)
			if known != (c.want != Standing{}) || known && (!got.Answered.Equal(c.want.Answered) || got.Revision != c.want.Revision || got.Outcome != c.want.Outcome) {
				t.Errorf("standing %+v, %v, want %+v", got, known, c.want)
			}
			s.Forget(noon.Add(25 * time.Hour))
			if _, known := s.Standing(c.reference); known {
				t.Error("remembered after the window")
			}
		})
	}
}

func TestStateOfAPendingVerdictOutlivesClaims(t *testing.T) {
	waiting := parking(1, noon)
	waiting.Why, waiting.State, waiting.Reference = "awaits_vendor", "state-1", "fav_1"
	s := replay(t, "r", claim(1, "a", noon), waiting, claim(2, "b", noon.Add(time.Minute)))
	ours := s.Restored(map[string]int64{"requests": 8})
	if len(ours) != 1 || ours[0].Step != Claimed {
		t.Fatalf("restored %+v", ours)
	}
	if state, reference := ours[0].Pending(); state != "state-1" || reference != "fav_1" {
		t.Errorf("state %q, reference %q", state, reference)
	}
	apply(t, s, "r", parking(2, noon))
	if state, _ := ours[0].Pending(); state != "" {
		t.Error("the state of a parking outlives the next one")
	}
}
