package vendors

import (
	"slices"
	"testing"
	"time"
)

// What is passed over ahead of its time, as permits are handed out before their slots, is
// no spare slot of ours where another has gained its shard by the time that it comes.
func TestSlotsPassedOverAreNotSpareOnceTheirShardsAreGone(t *testing.T) {
	const limit, shards, kept = 10, 6, 2
	l := newLimits(perSecond(limit), .02)
	former, heir := newQuota(l, nil), newQuota(l, nil)
	former.setShards(upTo(shards, 0), shards, noon)
	now := noon.Add(5*time.Second + 50*time.Millisecond)
	s, _, _ := former.next(now, time.Second) // claims are slow
	former.take(s, anyShard, now)
	made := []time.Time{s.begin}
	if former.setShards(upTo(shards, 0)[:kept], shards, now); !former.holds(s) {
		t.Fatalf("slot %d is not kept", s.number)
	}
	heir.setShards(upTo(shards, 0)[kept:], shards, now)

	calls := func(q *quota, from time.Time) {
		q.keep(from.Add(time.Hour), from)
		for s, _, _ := q.next(from, 0); s.begin.Before(now.Add(3 * time.Second)); s, _, _ = q.next(from, 0) {
			q.take(s, anyShard, from)
			if made = append(made, s.begin); s.sooner && s.begin.Sub(from) <= q.reach(s) {
				made[len(made)-1] = from
			}
		}
	}
	calls(&heir, now)
	calls(&former, now.Add(time.Second))
	slices.SortFunc(made, time.Time.Compare)
	for i := limit; i < len(made); i++ {
		if within := made[i].Sub(made[i-limit]); within <= time.Second {
			t.Fatalf("%d calls within %v", limit+1, within)
		}
	}
}
