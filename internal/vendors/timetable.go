package vendors

import (
	"math/bits"
	"time"
)

// timetable cuts the wall clock into slots of one call each and says which
// slots are ours. It is a pure function of clock, rate and owned shards: every
// replica computes the same slots, slot s belongs to the owner of shard
// s mod total, so the calls of all replicas together are evenly spaced and add
// up to the rate, for any ownership, without a word between them.
//
// Every owned slot serves any of the replica's requests, so no shard starves
// when the rate is below the number of shards.
//
// The zero value owns nothing. A timetable is not safe for concurrent use.
type timetable struct {
	// microRate is the rate in calls per million seconds; an integer, so
	// that replicas agree on every slot to the nanosecond.
	microRate uint64
	// from has an entry per shard: since when its slots are ours, zero if
	// they are not. first is the earliest of them.
	from  []time.Time
	first time.Time
}

// handover is how long the slots of a gained shard are left unused. Both
// owners get the new plan from the coordinator within a network round trip.
const handover = 250 * time.Millisecond

// nanosPerMicroRate turns slot numbers into nanoseconds: slot s begins at
// s × 10^15 / microRate.
const nanosPerMicroRate = 1e15

// newTimetable returns a timetable of perSecond slots a second, which must be
// positive and at most 10^6.
func newTimetable(perSecond float64) timetable {
	return timetable{microRate: max(1, uint64(perSecond*1e6+0.5))}
}

// setShards replaces the owned shards, numbers below total. The slots of one
// that was not owned before are left unused for the handover.
func (t *timetable) setShards(shards []int, total int, now time.Time) {
	from := make([]time.Time, total)
	t.first = time.Time{}
	for _, s := range shards {
		from[s] = now.Add(handover)
		if s < len(t.from) && !t.from[s].IsZero() && len(t.from) == total {
			from[s] = t.from[s]
		}
		if t.first.IsZero() || from[s].Before(t.first) {
			t.first = from[s]
		}
	}
	t.from = from
}

// next returns the first slot of ours that is after slot number after and
// begins at or past earliest, and when it begins; ok is false if we own none.
func (t *timetable) next(after int64, earliest time.Time) (slot int64, begin time.Time, ok bool) {
	if t.first.IsZero() {
		return 0, time.Time{}, false
	}
	// The shard that was ours first comes by within one round, so the loop ends.
	slot = max(after+1, t.at(earliest), t.at(t.first))
	for ; ; slot++ {
		if t.owns(slot) {
			return slot, t.begin(slot), true
		}
	}
}

// owns says whether a slot is ours.
func (t *timetable) owns(slot int64) bool {
	if t.first.IsZero() {
		return false
	}
	from := t.from[slot%int64(len(t.from))]
	return !from.IsZero() && !t.begin(slot).Before(from)
}

// at returns the first slot that begins at or past the time.
func (t *timetable) at(when time.Time) int64 {
	hi, lo := bits.Mul64(uint64(when.UnixNano()), t.microRate)
	slot, rest := bits.Div64(hi, lo, nanosPerMicroRate)
	if rest != 0 {
		slot++
	}
	return int64(slot)
}

// begin returns when a slot begins, rounded up to the nanosecond.
func (t *timetable) begin(slot int64) time.Time {
	hi, lo := bits.Mul64(uint64(slot), nanosPerMicroRate)
	nanos, rest := bits.Div64(hi, lo, t.microRate)
	if rest != 0 {
		nanos++
	}
	return time.Unix(0, int64(nanos))
}
