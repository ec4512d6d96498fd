package vendors

import (
	"math/bits"
	"time"
)

// timetable cuts the wall clock into slots of one call each and says which
// slots are ours. It is a pure function of clock, pace and owned shards: every
// replica computes the same slots, slot s belongs to the owner of shard
// s mod total, so the calls of all replicas together are evenly spaced and add
// up to the pace, for any ownership, without a word between them.
//
// Replicas of different paces share no slots, as while a limit is rolled out: a window
// may then hold up to half as many calls more than the higher pace makes as there are
// shards, as each may have its slots together where the others have none. Who changes a
// limit orders the lower pace first (Lane.SetRate).
//
// Every owned slot serves any of the replica's requests, so no shard starves
// when the pace is below the number of shards.
//
// The zero value owns nothing. A timetable is not safe for concurrent use.
type timetable struct {
	pace pace
	// from has an entry per shard: since when its slots are ours, zero if
	// they are not. first is the earliest of them.
	from  []time.Time
	first time.Time
	owned int // shards
	// wait is how much longer than for the handover a gained shard's slots are
	// left unused: its former owner may have lent them.
	wait time.Duration
}

// slot is a place for one call. Its number is that of its pace.
type slot struct {
	number int64
	begin  time.Time
	// perSecond is the pace.
	perSecond float64
	borrowed  bool
	// sooner: its call may be made before it begins.
	sooner bool
}

// handover is how long the slots of a gained shard are left unused. Both
// owners get the new plan from the coordinator within a network round trip; the
// rest is for clocks that differ and calls that are late: with 100 ms the random
// worlds of TestNoSlidingWindowIsExceededAndNoShardStarves exceed a window.
const handover = 250 * time.Millisecond

// setShards replaces the owned shards, numbers below total. The slots of one
// that was not owned before are left unused for the handover.
func (t *timetable) setShards(shards []int, total int, now time.Time) {
	from := make([]time.Time, total)
	t.first = time.Time{}
	for _, s := range shards {
		from[s] = now.Add(handover + t.wait)
		if s < len(t.from) && !t.from[s].IsZero() && len(t.from) == total {
			from[s] = t.from[s]
		}
		if t.first.IsZero() || from[s].Before(t.first) {
			t.first = from[s]
		}
	}
	t.from, t.owned = from, len(shards)
}

// part returns how much of all slots is ours, 0 to 1.
func (t *timetable) part() float64 { return float64(t.owned) / float64(len(t.from)) }

// next returns the first slot of ours that begins after after and at or past
// earliest. ok is false if there is none before again, or at all if that is zero.
func (t *timetable) next(after, earliest time.Time) (s slot, again time.Time, ok bool) {
	if t.first.IsZero() {
		return slot{}, time.Time{}, false
	}
	earliest = latest(earliest, after.Add(1), t.first)
	r := t.pace.run(earliest)
	if r.microRate == 0 {
		return slot{}, r.to, false
	}
	// The shard that was ours first comes by within one round, so the loop ends.
	for s = r.at(latest(earliest, r.start)); ; s = r.slot(s.number + 1) {
		if !r.to.IsZero() && !s.begin.Before(r.to) {
			return slot{}, r.to, false
		}
		if t.owns(s) {
			return s, time.Time{}, true
		}
	}
}

// owns says whether a slot is ours.
func (t *timetable) owns(s slot) bool {
	if t.first.IsZero() {
		return false
	}
	from := t.from[s.number%int64(len(t.from))]
	return !from.IsZero() && !s.begin.Before(from)
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// pace is the rate of the slots, by time.
type pace struct {
	// perSecond is the rate outside of the schedule's periods; headroom is taken
	// off it, and off the schedule's.
	perSecond float64
	schedule  Schedule
	// over is the length of the window that the pace keeps.
	over time.Duration

	last run // the one that was asked for last
}

// run are the slots of a stretch: those that begin from start on and before the
// stretch's end.
type run struct {
	stretch
	microRate uint64
	start     time.Time
}

// run returns the slots of the stretch that a time is in.
func (p *pace) run(at time.Time) run {
	r := &p.last
	known := r.perSecond > 0 || !r.to.IsZero()
	if known && !at.Before(r.from) && (r.to.IsZero() || at.Before(r.to)) {
		return *r
	}
	r.stretch = p.schedule.at(at, p.perSecond, p.over)
	r.microRate, r.start = microRate(r.perSecond), r.from
	if !r.from.IsZero() && r.perSecond > 0 {
		r.start = r.from.Add(p.pause(r.before, r.perSecond))
	}
	return *r
}

// pause is how long no slot begins after the pace has changed, so that no window
// up to a slot of the new pace holds more than the new pace allows: until enough
// slots of a higher pace have left the window, and then for one slot's length,
// as the slots of two paces don't follow each other evenly.
//
// At y past that, a window holds at most (over - pause - y) × before, rounded
// up, and y × now, rounded down, which together is at most over × now, rounded up.
func (p *pace) pause(before, now float64) time.Duration {
	seconds := 1 / now
	if before > now {
		seconds += p.over.Seconds() * (1 - now/before)
	}
	return time.Duration(seconds * float64(time.Second))
}

// nanosPerMicroRate turns slot numbers into nanoseconds: slot s begins at
// s × 10^15 / microRate.
const nanosPerMicroRate = 1e15

// microRate returns a rate in calls per million seconds; an integer, so that
// replicas agree on every slot to the nanosecond. perSecond is at most 10^6.
func microRate(perSecond float64) uint64 {
	if perSecond == 0 {
		return 0
	}
	return max(1, uint64(perSecond*1e6+0.5))
}

// at returns the first slot that begins at or past the time.
func (r run) at(when time.Time) slot {
	hi, lo := bits.Mul64(uint64(when.UnixNano()), r.microRate)
	number, rest := bits.Div64(hi, lo, nanosPerMicroRate)
	if rest != 0 {
		number++
	}
	return r.slot(int64(number))
}

// slot returns a slot by its number; it begins rounded up to the nanosecond.
func (r run) slot(number int64) slot {
	hi, lo := bits.Mul64(uint64(number), nanosPerMicroRate)
	nanos, rest := bits.Div64(hi, lo, r.microRate)
	if rest != 0 {
		nanos++
	}
	return slot{number: number, begin: time.Unix(0, int64(nanos)), perSecond: float64(r.microRate) / 1e6}
}
