package pipeline

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"reauth/internal/event"
)

func queued(s *shard, subject string, priority bool) *item {
	return &item{shard: s, priority: priority, request: event.Request{Vendor: event.Argos, SubmissionID: subject}}
}

func TestPriorityGoesFirst(t *testing.T) {
	q := newQueue()
	bulk, urgent := queued(nil, "a", false), queued(nil, "b", true)
	q.push(bulk)
	q.push(urgent)
	if q.tryPop() != urgent || q.tryPop() != bulk {
		t.Error("a bulk request went before a priority one")
	}
}

func TestOneSubjectIsNeverServedTwiceAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue()
		shards := []*shard{{id: 0}, {id: 1}, {id: 2}}
		open, busy := map[*item]bool{}, map[string]*item{}
		order := map[string][]*item{} // per subject, as pushed
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2, 3:
				subject := fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "subject"))
				it := queued(shards[rapid.IntRange(0, 2).Draw(t, "shard")], subject, rapid.Bool().Draw(t, "priority"))
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
	})
}
