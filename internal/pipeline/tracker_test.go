package pipeline

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"reauth/internal/ledger"
)

// naiveTracker is the tracker as one would write it without a thought for cost.
type naiveTracker struct {
	next    int64
	offsets []int64
	done    map[int64]bool
}

func (n *naiveTracker) mayCommit() int64 {
	next := n.next
	for _, o := range n.offsets {
		if !n.done[o] {
			break
		}
		next = o + 1
	}
	return next
}

func TestTrackerAgreesWithNaiveModelInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Int64Range(-2, 100).Draw(t, "start")
		tr := newTracker(start)
		model := naiveTracker{next: max(start, unknownNext), done: map[int64]bool{}}
		offset := max(start, 0)
		var open []int64
		before := tr.next
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1: // the next record, sometimes after a gap
				offset += rapid.SampledFrom([]int64{0, 0, 0, 1, 7}).Draw(t, "gap")
				if !tr.add(offset, time.Time{}) {
					t.Fatalf("record %d refused", offset)
				}
				model.offsets = append(model.offsets, offset)
				open = append(open, offset)
				offset++
			case 2, 3: // any open record is done
				if len(open) > 0 {
					i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
					tr.finish(open[i], ledger.ID{})
					model.done[open[i]] = true
					open = append(open[:i], open[i+1:]...)
				}
			case 4: // something that is not tracked, or was done before
				o := rapid.Int64Range(-1, offset+5).Draw(t, "stray")
				if !contains(open, o) {
					tr.finish(o, ledger.ID{})
				}
			}
			if tr.next != model.mayCommit() {
				t.Fatalf("next %d, model says %d", tr.next, model.mayCommit())
			}
			if tr.next < before {
				t.Fatalf("next went back from %d to %d", before, tr.next)
			}
			before = tr.next
		}
		if len(open) == 0 && tr.span() != 0 {
			t.Fatalf("span %d with everything done", tr.span())
		}
	})
}

func contains(s []int64, o int64) bool {
	for _, v := range s {
		if v == o {
			return true
		}
	}
	return false
}

func TestTrackerNeverCommitsPastAGap(t *testing.T) {
	tr := newTracker(10)
	for _, o := range []int64{10, 11, 15} {
		tr.add(o, time.Time{})
	}
	tr.finish(15, ledger.ID{})
	tr.finish(11, ledger.ID{})
	if tr.next != 10 {
		t.Fatalf("next %d with record 10 open", tr.next)
	}
	tr.finish(10, ledger.ID{})
	if tr.next != 16 {
		t.Fatalf("next %d with all done, want 16", tr.next)
	}
}

func TestTrackerRefusesARecordTwice(t *testing.T) {
	tr := newTracker(5)
	if tr.add(4, time.Time{}) {
		t.Error("a record before the committed offset was tracked")
	}
	if !tr.add(5, time.Time{}) || tr.add(5, time.Time{}) {
		t.Error("a record was tracked twice")
	}
	tr.finish(5, ledger.ID{})
	if tr.add(5, time.Time{}) {
		t.Error("a done record was tracked again")
	}
}

func TestTrackerGivesItsMemoryBack(t *testing.T) {
	tr := newTracker(0)
	for o := range int64(1_000_000) {
		tr.add(o, time.Time{})
		if o >= 100 {
			tr.finish(o-100, ledger.ID{})
		}
	}
	if c := cap(tr.records); c > 1024 {
		t.Errorf("room for %d records with 100 open", c)
	}
}
