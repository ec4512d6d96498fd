package pipeline

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reauth/internal/event"
)

func queued(s *shard, subject string, priority bool) *item {
	return &item{shard: s, priority: priority, request: event.Request{Vendor: event.Argos, SubmissionID: subject}}
}

// alike weighs all campaigns the same.
func alike(string) float64 { return 1 }

func TestPriorityGoesFirst(t *testing.T) {
	q := newQueue(alike)
	bulk, urgent := queued(nil, "a", false), queued(nil, "b", true)
	q.push(bulk)
	q.push(urgent)
	if q.tryPop() != urgent || q.tryPop() != bulk {
		t.Error("a bulk request went before a priority one")
	}
}

func TestShardsTakeTurns(t *testing.T) {
	a, b, c := &shard{id: 0}, &shard{id: 1}, &shard{id: 2}
	q := newQueue(alike)
	for i := range 20 {
		q.push(queued(a, fmt.Sprint("a", i), false))
	}
	for i := range 3 {
		q.push(queued(b, fmt.Sprint("b", i), false))
		q.push(queued(c, fmt.Sprint("c", i), false))
	}
	var order []string
	for it := q.tryPop(); it != nil; it = q.tryPop() {
		order = append(order, it.request.SubmissionID)
		if len(order) == 5 {
			q.drop(c)
		}
	}
	if got := strings.Join(order[:9], " "); got != "a0 b0 c0 a1 b1 a2 b2 a3 a4" {
		t.Errorf("order %s", got)
	}
	if len(order) != 20+3+1 {
		t.Errorf("%d requests came out", len(order))
	}
}

func TestShutQueueHandsOutWhatIsToBeSettledOnly(t *testing.T) {
	q := newQueue(alike)
	ready, begun := queued(nil, "a", true), queued(nil, "b", false)
	begun.unsettled = true
	q.setShut(true)
	q.push(ready)
	q.push(begun)
	if q.tryPop() != begun || q.tryPop() != nil {
		t.Error("a shut queue hands out what it should not, or keeps what it should not")
	}
	q.setShut(false)
	if q.tryPop() != ready {
		t.Error("nothing comes once it is open again")
	}
}

func TestFrozenCampaignHoldsUpNoOtherAndComesBack(t *testing.T) {
	for _, paused := range []bool{true, false} {
		q := newQueue(alike)
		frozen, other := queued(nil, "a", false), queued(nil, "b", false)
		frozen.request.CampaignID, other.request.CampaignID = "c", "d"
		q.push(frozen)
		q.freezeWhile(func(string) bool { return paused }, "c")
		q.push(other)
		if got := q.tryPop(); got == frozen && paused || got == other && !paused {
			t.Errorf("paused %v, and %s came first", paused, got.request.CampaignID)
		}
		q.thaw()
		if q.tryPop() == nil || q.tryPop() != nil {
			t.Error("two were pushed, and not two came")
		}
	}
}

// Room that only a frozen campaign's request has been given must go to others.
func TestFrozenCampaignTakesNoRoom(t *testing.T) {
	room := 0
	q := newQueue(alike)
	q.stalls = newStalls(func(int) (int, time.Time) { return room, time.Now().Add(time.Hour) }, alike)
	s := &shard{}
	frozen, other := queued(s, "a", false), queued(s, "b", false)
	frozen.request.CampaignID, other.request.CampaignID = "c", "d"
	q.push(frozen)
	q.push(other)
	if q.tryPop() != nil {
		t.Fatal("a request came without room for it")
	}
	q.freezeWhile(func(string) bool { return true }, "c")
	room = 1
	if q.tryPop() != other {
		t.Error("the room is kept for a campaign that is frozen")
	}
}

// A window that is used up gives room one call at a time.
func TestSharesFollowWeightsWhereRoomIsScarce(t *testing.T) {
	q := newQueue(weigh(map[string]float64{"heavy": 3}))
	room := 0
	q.stalls = newStalls(func(int) (int, time.Time) { return room, time.Now().Add(time.Hour) }, q.ready[rankBulk].weight)
	s := &shard{}
	for i := range 400 {
		for _, campaign := range []string{"light", "heavy"} {
			it := ofCampaign(campaign, i)
			it.shard = s
			q.push(it)
		}
	}
	got := map[string]int{}
	for range 200 {
		room = 1
		it := q.tryPop()
		room = 0
		q.prepared(it)
		got[it.request.CampaignID]++
		if q.tryPop() != nil {
			t.Fatal("a request came without room for it")
		}
	}
	if got["heavy"] < 148 || got["heavy"] > 152 {
		t.Errorf("turns %v, want 3:1", got)
	}
}

func TestOneSubjectIsNeverServedTwiceAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue(alike)
		shards := []*shard{{id: 0}, {id: 1}, {id: 2}}
		open, busy := map[*item]bool{}, map[string]*item{}
		order := map[string][]*item{} // per subject, as pushed
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2, 3:
				subject := fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "subject"))
				it := queued(shards[rapid.IntRange(0, 2).Draw(t, "shard")], subject, rapid.Bool().Draw(t, "priority"))
				it.request.CampaignID = fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "campaign"))
				q.push(it)
				open[it] = true
				order[subject] = append(order[subject], it)
			case 4, 5, 6:
				it := q.tryPop()
				if it == nil {
					if len(open) > len(busy) {
						waits := 0
						for o := range open {
							if busy[o.request.SubmissionID] != nil {
								waits++
							}
						}
						if waits != len(open) {
							t.Fatalf("%d open requests, none ready, %d of busy subjects", len(open), waits)
						}
					}
					continue
				}
				if busy[it.request.SubmissionID] != nil {
					t.Fatal("two requests of one subject at once")
				}
				if order[it.request.SubmissionID][0] != it {
					t.Fatal("a subject's requests were served out of order")
				}
				busy[it.request.SubmissionID] = it
			case 7, 8:
				for subject, it := range busy {
					q.release(it)
					delete(busy, subject)
					delete(open, it)
					order[subject] = order[subject][1:]
					break
				}
			case 9:
				s := shards[rapid.IntRange(0, 2).Draw(t, "moved")]
				dropped := map[*item]bool{}
				for _, it := range q.drop(s) {
					if it.shard != s || busy[it.request.SubmissionID] == it || !open[it] {
						t.Fatal("dropped what is under way, done, or another shard's")
					}
					dropped[it] = true
					delete(open, it)
				}
				for it := range open {
					if it.shard == s && busy[it.request.SubmissionID] != it {
						t.Fatal("a request of the moved shard stayed")
					}
				}
				for subject, its := range order {
					kept := its[:0]
					for _, it := range its {
						if !dropped[it] {
							kept = append(kept, it)
						}
					}
					order[subject] = kept
				}
			}
		}
		for subject, it := range busy {
			q.release(it)
			delete(open, it)
			delete(busy, subject)
		}
		for n := len(open); n > 0; n-- {
			it := q.tryPop()
			if it == nil {
				t.Fatalf("%d requests are never served", n)
			}
			q.release(it)
		}
		if len(q.subjects) != 0 {
			t.Fatalf("%d subjects are kept with nothing open", len(q.subjects))
		}
		if q.tryPop() != nil || q.len() != 0 {
			t.Fatal("more requests than there were")
		}
		for rank, f := range q.ready {
			if len(f.flows) != 0 || len(f.turns) != 0 {
				t.Fatalf("%d campaigns of rank %d are kept with nothing ready", len(f.flows), rank)
			}
		}
	})
}

// A campaign that is frozen has no turn in which what is empty would be dropped.
func TestFrozenCampaignKeepsNothingOfAShardThatLeft(t *testing.T) {
	f, left, stays := newFair(alike), &shard{id: 0}, &shard{id: 1}
	for i := range 10 {
		it := queued([]*shard{left, stays}[i%2], fmt.Sprint("s-", i), false)
		it.request.CampaignID = "c"
		f.push(it)
	}
	f.pop()
	f.freeze("c")
	if n := len(f.remove(func(it *item) bool { return it.shard == left })); n != 4 || f.len() != 5 {
		t.Errorf("%d removed, %d left", n, f.len())
	}
	if _, kept := f.flows["c"].of[left]; kept {
		t.Error("the shard that left is remembered")
	}
	f.thaw()
	for i := range 5 {
		if it := f.pop(); it == nil || it.request.SubmissionID != fmt.Sprint("s-", 2*i+1) {
			t.Errorf("turn %d is of %+v", i, it)
		}
	}
}
