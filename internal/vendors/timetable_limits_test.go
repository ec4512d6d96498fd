package vendors

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// mostIn returns the most slots in any sliding span of length d, ends included.
func mostIn(slots []slot, d time.Duration) (most int) {
	slices.SortFunc(slots, func(a, b slot) int { return a.begin.Compare(b.begin) })
	first := 0
	for i, s := range slots {
		for s.begin.Sub(slots[first].begin) > d {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// apart are two replicas whose limits per second differ, as while a new one is rolled
// out, and that own all shards between them.
type apart struct {
	old, new quota
	total    int
}

func newApart(old, new, total int) *apart {
	limits := func(n int) limits { return newLimits(perSecond(n), .02) }
	return &apart{newQuota(limits(old), nil), newQuota(limits(new), nil), total}
}

// split gives the first of the shards to the old replica, and the others to the new one.
func (a *apart) split(shards []int, first int, at time.Time) {
	a.old.setShards(shards[:first], a.total, at)
	a.new.setShards(shards[first:], a.total, at)
}

// slots returns the slots of both from start on and before end, but for those that
// begin too soon after an order.
func (a *apart) slots(start, end time.Time) []slot {
	all := append(a.old.table.slots(start, end), a.new.table.slots(start, end)...)
	return slices.DeleteFunc(all, func(s slot) bool { return s.begin.Before(latest(a.old.quiet, a.new.quiet)) })
}

// upTo returns the numbers from first on and below total, and then those below first.
func upTo(total, first int) (shards []int) {
	for i := range total {
		shards = append(shards, (first+i)%total)
	}
	return shards
}

// Slots of different paces know nothing of each other. A second then holds up to half
// as many calls more than the larger limit as there are shards: so limits are changed
// under an order (deploy/kubernetes/README.md).
func TestReplicasOfDifferentLimitsExceedTheLargerByHalfTheShardsAtMost(t *testing.T) {
	a := newApart(29, 30, 12)
	a.split(upTo(12, 0), 5, noon.Add(-time.Second))
	if n := mostIn(a.slots(noon, noon.Add(time.Minute)), time.Second); n != 35 {
		t.Errorf("%d calls in a second of 29 or 30, measured as 35", n)
	}
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 24).Draw(t, "shards")
		old, new := rapid.IntRange(2, 120).Draw(t, "old"), rapid.IntRange(2, 120).Draw(t, "new")
		a := newApart(old, new, total)
		shards := upTo(total, rapid.IntRange(0, total-1).Draw(t, "first"))
		at := noon.Add(-time.Second)
		var all []slot
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			a.split(shards, rapid.IntRange(0, total).Draw(t, "split"), at)
			next := at.Add(time.Duration(rapid.IntRange(100, 5000).Draw(t, "ms")) * time.Millisecond)
			all = append(all, a.slots(at, next)...)
			at = next
		}
		if n := mostIn(all, time.Second); n > max(old, new)+total/2 {
			t.Fatalf("%d calls in a second of %d or %d with %d shards", n, old, new, total)
		}
	})
}

// An order of the smaller limit has both use the same slots.
func TestOrderKeepsReplicasOfDifferentLimitsToTheSmaller(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 24).Draw(t, "shards")
		old, new := rapid.IntRange(2, 120).Draw(t, "old"), rapid.IntRange(2, 120).Draw(t, "new")
		a := newApart(old, new, total)
		smaller := float64(min(old, new))
		a.old.order(smaller, noon)
		a.new.order(smaller, noon)
		shards := rapid.Permutation(upTo(total, 0)).Draw(t, "order")
		at := noon
		var all []slot
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			a.split(shards, rapid.IntRange(0, total).Draw(t, "split"), at)
			next := at.Add(time.Duration(rapid.IntRange(100, 5000).Draw(t, "ms")) * time.Millisecond)
			all = append(all, a.slots(at, next)...)
			at = next
		}
		if n := mostIn(all, time.Second); n > min(old, new) {
			t.Fatalf("%d calls in a second of %d or %d", n, old, new)
		}
	})
}
