package vendors

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// even returns a timetable of perSecond slots a second.
func even(perSecond float64) *timetable {
	return &timetable{pace: pace{perSecond: perSecond, over: time.Second}}
}

// slots returns the slots of the owned shards from start on and before end.
func (t *timetable) slots(start, end time.Time) (slots []slot) {
	for s, again, ok := t.next(time.Time{}, start); ; s, again, ok = t.next(s.begin, start) {
		switch {
		case ok && s.begin.Before(end):
			slots = append(slots, s)
		case !ok && !again.IsZero() && again.Before(end):
			start = again
			if len(slots) > 0 {
				s = slots[len(slots)-1]
			}
		default:
			return slots
		}
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Every slot of the clock has exactly one owner, whatever the split, and the
// owners' slots together are exactly the rate.
func TestSlotsOfAllOwnersAddUpToTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]float64{0.5, 1, 3.7, 9.8, 49, 392, 4900}).Draw(t, "rate")
		total := rapid.IntRange(1, 48).Draw(t, "total")
		replicas := rapid.IntRange(1, 6).Draw(t, "replicas")
		owned := make([][]int, replicas)
		for s := range total {
			r := rapid.IntRange(0, replicas-1).Draw(t, "owner")
			owned[r] = append(owned[r], s)
		}
		taken := map[int64]bool{}
		start, end := noon.Add(time.Minute), noon.Add(time.Minute+10*time.Second)
		for _, shards := range owned {
			tt := even(rate)
			tt.setShards(shards, total, noon)
			for _, s := range tt.slots(start, end) {
				if taken[s.number] {
					t.Fatalf("slot %d has two owners", s.number)
				}
				taken[s.number] = true
			}
		}
		if got, want := float64(len(taken)), rate*10; got < want-1 || got > want+1 {
			t.Fatalf("%v slots in 10 s at %v/s", got, rate)
		}
	})
}

func TestNoSlidingSecondHoldsMoreThanTheLimit(t *testing.T) {
	for _, limit := range []int{10, 50, 100, 400} {
		tt := even(float64(limit) * 0.98)
		tt.setShards([]int{0, 1, 2}, 3, noon)
		slots := tt.slots(noon.Add(time.Minute), noon.Add(time.Minute+5*time.Second))
		if len(slots) < 4*limit {
			t.Fatalf("%d slots in 5 s", len(slots))
		}
		// 20 ms of jitter is what the headroom of 2 % pays for.
		for i := limit; i < len(slots); i++ {
			if d := slots[i].begin.Sub(slots[i-limit].begin); d < time.Second+20*time.Millisecond {
				t.Fatalf("limit %d: %d calls within %v", limit, limit+1, d)
			}
		}
	}
}

func TestGainedShardWaitsForTheHandoverAndKeptOneDoesNot(t *testing.T) {
	tt := even(1000)
	tt.setShards([]int{0}, 2, noon)
	later := noon.Add(time.Minute)
	tt.setShards([]int{0, 1}, 2, later)
	seen := map[int64]time.Time{}
	for _, s := range tt.slots(later, later.Add(time.Second)) {
		if _, ok := seen[s.number%2]; !ok {
			seen[s.number%2] = s.begin
		}
	}
	if got := seen[0].Sub(later); got > 2*time.Millisecond {
		t.Errorf("the kept shard's first slot came after %v", got)
	}
	if got := seen[1].Sub(later); got < handover || got > handover+2*time.Millisecond {
		t.Errorf("the gained shard's first slot came after %v, want the handover of %v", got, handover)
	}
}

func TestNoShardsNoSlots(t *testing.T) {
	tt := even(10)
	if _, _, ok := tt.next(time.Time{}, noon); ok {
		t.Error("a timetable without shards gave a slot")
	}
	tt.setShards([]int{0}, 1, noon)
	tt.setShards(nil, 1, noon)
	if _, _, ok := tt.next(time.Time{}, noon); ok {
		t.Error("a timetable that lost its shards gave a slot")
	}
}
