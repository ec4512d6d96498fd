package ledger

import (
	"testing"
	"time"

	"reauth/internal/event"
)

func TestBarrierChangesNothing(t *testing.T) {
	s, at := NewShard(time.Hour), time.Now()
	until := at.Add(time.Minute)
	claim := Record{Step: Claimed, Claim: 1, Owner: "a", Until: &until}
	answer := Record{Step: Answered, Source: Source{Topic: "requests"}, Answer: &Answer{Outcome: event.Approved, CompletedAt: at}}
	checkpoint := Record{Step: Checkpoint, Published: &time.Time{}, Closed: []ID{IDOf("r-3")}, Marks: map[string]Mark{"requests": {Next: 3, Last: at}}}
	apply := func(key string, r Record, at time.Time) {
		t.Helper()
		if err := s.Apply([]byte(key), r.Encode(), at); err != nil {
			t.Fatal(err)
		}
	}
	apply("r-1", claim, at)
	apply("r-2", answer, at)
	apply("", checkpoint, at)
	apply("", Barrier("b", 7), at.Add(time.Minute))
	if open, answered := s.Len(); open != 2 || answered != 1 {
		t.Errorf("%d open and %d answered requests", open, answered)
	}
	if marks, since := s.Marks(); marks["requests"].Next != 3 || !since.Equal(at) || !s.ClosedAt().Equal(at) {
		t.Errorf("marks %v of %s, ids of %s", marks, since, s.ClosedAt())
	}
	if a, _ := s.Admit("r-2", Source{Topic: "requests"}, 1); a != Unsettled {
		t.Errorf("an answer before a barrier is %v, as if its result were known to be out", a)
	}
}

func TestBarrierOf(t *testing.T) {
	published := time.Now()
	for name, c := range map[string]struct {
		value []byte
		want  int
	}{
		"a barrier":          {Barrier("pod-a/1", 7).Encode(), 7},
		"another checkpoint": {Record{Step: Checkpoint, Published: &published}.Encode(), 0},
		"a claim":            {Record{Step: Claimed, Claim: 7, Owner: "a", Until: &published, Barrier: 7}.Encode(), 0},
		"what is unreadable": {[]byte(`{"step":"checkpoint","barrier":7}`), 0},
		"nothing":            {nil, 0},
	} {
		if n := BarrierOf(c.value); n != c.want {
			t.Errorf("%s: %d, want %d", name, n, c.want)
		}
	}
}
