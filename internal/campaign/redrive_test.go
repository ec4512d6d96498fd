package campaign

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reauth/internal/event"
)

func TestTheFirstHindranceCounts(t *testing.T) {
	ok := Redrive{Origin: event.Source{Topic: "requests"}, Number: 1, Stage: event.StageVendor}
	other, invalid, often, again := ok, ok, ok, ok
	other.Origin.Topic, other.Stage = "results", event.StageDecode
	invalid.Stage, invalid.Number = event.StageValidate, 4
	often.Number = 4
	again.Origin.Offset = 1
	g := NewRedriveGuard(RedriveRules{Topics: []string{"requests"}, Max: 3})
	g.See(sentRecord(again.Origin, 1))
	g.See(event.Record{Headers: sentRecord(ok.Origin, 1).Headers[:3]}) // never sent back
	g.KeptSince("requests", 2, failedAt)
	old, recent := ok, ok
	old.Position.Partition, old.Origin.Offset, old.FailedAt = 2, 2, failedAt.Add(-1)
	recent.Position.Partition, recent.Origin.Offset, recent.FailedAt = 2, 3, failedAt
	send, hindered := g.Plan([]Redrive{other, invalid, often, again, ok, ok, old, recent})
	if diff := cmp.Diff([]Redrive{ok, recent}, send); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	want := map[Hindrance]int{OtherOrigin: 1, NoRequest: 1, AtBound: 1, SentBack: 2, TooOld: 1}
	if diff := cmp.Diff(want, hindered); diff != "" {
		t.Errorf("hindered (-want +got):\n%s", diff)
	}
	lenient := NewRedriveGuard(RedriveRules{Topics: []string{"requests"}, Max: 4, IncludeInvalid: true})
	if send, _ := lenient.Plan([]Redrive{invalid}); len(send) != 1 {
		t.Error("a refused record is left out with IncludeInvalid")
	}
}

// sentRecord is a record that was sent back, from the position given.
func sentRecord(origin event.Source, number int) event.Record {
	original := event.Record{Topic: origin.Topic, Partition: origin.Partition, Offset: origin.Offset}
	for range number {
		dead := event.DeadLetter{Class: "x", Stage: event.StageVendor}.Record("dead", original)
		back, err := event.Redrive(dead, origin.Topic)
		if err != nil {
			panic(err)
		}
		original = back
	}
	return original
}

// Whoever dies again and again, and however often the command is given with
// whichever guard: each trip is made once, and no record makes more than allowed.
func TestEveryTripIsMadeOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 4).Draw(t, "max")
		var requests, dead []event.Record
		for i := range 5 {
			requests = append(requests, event.Record{Topic: "requests", Offset: int64(i)})
		}
		failed := map[int]bool{} // requests that are in dead
		t.Repeat(map[string]func(*rapid.T){
			"fail": func(t *rapid.T) {
				i := rapid.IntRange(0, len(requests)-1).Draw(t, "request")
				failed[i] = true // a crash publishes it twice
				dead = append(dead, event.DeadLetter{Class: "x", Stage: event.StageVendor}.Record("dead", requests[i]))
				dead[len(dead)-1].Offset = int64(len(dead) - 1)
			},
			"redrive": func(t *rapid.T) {
				g := NewRedriveGuard(RedriveRules{Topics: []string{"requests"}, Max: limit})
				for _, rec := range requests {
					g.See(rec)
				}
				var all []Redrive
				for _, rec := range dead {
					d, err := ReadDeadLetter(rec)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, d.Redrive())
				}
				send, _ := g.Plan(all)
				for _, r := range send {
					back, err := event.Redrive(dead[r.Position.Offset], "requests")
					if err != nil {
						t.Fatal(err)
					}
					back.Offset = int64(len(requests))
					requests = append(requests, back)
				}
			},
			"": func(t *rapid.T) {
				trips := map[sentBack]bool{}
				for _, rec := range requests {
					origin, ok := event.Redriven(rec)
					if !ok {
						continue
					}
					trip := sentBack{origin, event.Redrives(rec)}
					if trips[trip] || trip.number > limit {
						t.Fatalf("trip %+v, at most %d", trip, limit)
					}
					trips[trip] = true
				}
			},
		})
		// And everything that failed, and may, goes back in the end.
		sent := map[sentBack]bool{}
		for _, rec := range requests {
			if origin, ok := event.Redriven(rec); ok {
				sent[sentBack{origin, event.Redrives(rec)}] = true
			}
		}
		g := NewRedriveGuard(RedriveRules{Topics: []string{"requests"}, Max: limit})
		for _, rec := range requests {
			g.See(rec)
		}
		for i := range failed {
			origin, ok := event.Redriven(requests[i])
			if !ok {
				origin = event.Source{Topic: "requests", Offset: requests[i].Offset}
			}
			r := Redrive{Origin: origin, Number: event.Redrives(requests[i]) + 1, Stage: event.StageVendor}
			send, _ := g.Plan([]Redrive{r})
			if may := r.Number <= limit && !sent[sentBack{r.Origin, r.Number}]; may != (len(send) == 1) {
				t.Fatalf("%+v: planned %d", r, len(send))
			}
		}
	})
}
