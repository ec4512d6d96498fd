package ledger

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"reauth/internal/event"
)

func TestCheckpointNamesWhatIsDoneAndWouldBeReadAgain(t *testing.T) {
	failed := answer(1, event.Failed)
	s := replay(t, "r-failed", claim(1, "a", noon), failed)
	apply(t, s, "r-done", claim(1, "a", noon), answer(1, event.Approved))
	apply(t, s, "r-parked", claim(1, "a", noon), parking(1, noon.Add(time.Hour)))
	published := noon.Add(time.Minute)
	checkpoint := Record{Step: Checkpoint, Published: &published}
	apply(t, s, "", checkpoint)
	ids := []ID{IDOf("r-failed"), IDOf("r-done"), IDOf("r-parked")}
	closing := s.Closing(published, ids)
	if len(closing) != 1 || len(closing[0].Closed) != 1 || len(closing[0].Failed) != 1 {
		t.Fatalf("closing: %+v", closing)
	}

	next := replay(t, "", closing...) // the answers have left the window
	if next.ClosedAt().IsZero() {
		t.Error("it is not known that ids were named")
	}
	apply(t, next, "r-parked", parking(1, noon.Add(time.Hour))) // written again
	for id, c := range map[string]struct {
		revision int
		want     Admission
	}{
		"r-done":   {2, Duplicate},
		"r-parked": {1, Adopted},
		"r-other":  {1, New},
	} {
		if got, _ := next.Admit(id, source(1), c.revision); got != c.want {
			t.Errorf("%s: admission %d, want %d", id, got, c.want)
		}
	}
	if got, _ := next.Admit("r-failed", source(1), 1); got != Duplicate {
		t.Errorf("a failed request that is read again: admission %d", got)
	}
	if got, _ := next.Admit("r-failed", source(9), 2); got != New {
		t.Errorf("a failed request that was sent back: admission %d", got)
	}
	if s.Closing(published, []ID{IDOf("r-parked")}) != nil {
		t.Error("a request that lives in the ledger is named as done")
	}
}

func TestWhatIsDoneIsNamedByAsManyRecordsAsItTakes(t *testing.T) {
	const done = 100_000 // behind a request of a vendor that is out over a weekend
	name := func(i int) string { return fmt.Sprint("r-", i) }
	ids := make([]ID, done)
	for i := range ids {
		ids[i] = IDOf(name(i))
	}
	s, next := NewShard(time.Hour), NewShard(time.Hour)
	for _, r := range s.Closing(noon, ids) {
		value := r.Encode()
		if len(value) > 1<<19 {
			t.Errorf("a record has %d bytes", len(value))
		}
		if err := next.Apply(nil, value, noon); err != nil {
			t.Fatal(err)
		}
	}
	for i := range done {
		if got, _ := next.Admit(name(i), source(1), 1); got != Duplicate {
			t.Fatalf("%s: admission %d", name(i), got)
		}
	}
}

func TestHalfAnIDIsUnreadable(t *testing.T) {
	for _, value := range []string{
		`{"step":"checkpoint","published":"2026-01-02T03:04:05Z","closed":["AAAA"]}`,
		`{"step":"checkpoint","published":"2026-01-02T03:04:05Z","failed":["AAAA"]}`,
	} {
		if _, err := Decode([]byte(value)); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v", value, err)
		}
	}
}
