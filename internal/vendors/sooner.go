package vendors

import (
	"slices"
	"time"
)

// sooner are the calls that go before their slots, as they need not wait while slots
// pass unused.
//
// A call takes the next free slot, and goes at any time until that begins. A span as
// long as the window can then hold more calls than slots that they took: those whose
// slots begin after the span. For each of them it has to hold a spare slot, one that
// passed and nobody took. That is so if the calls that are ahead of their slots, the
// latest slot first, find one spare slot no longer than the window before the first
// of those slots, two before the second, and so on. At full load no slot is spare,
// and calls are as evenly spaced as slots.
type sooner struct {
	// within is limits.exchange.
	within time.Duration
	// spare are slots of ours that nobody took, by when each begins, in order: all
	// from before passed that are no older than within.
	spare  []time.Time
	passed time.Time
	// ahead are the slots of calls that went or may go before them, by when each
	// begins, in order. Some have begun.
	ahead []time.Time
	// kept is until when the owned shards are surely ours.
	kept time.Time
}

const (
	// soonest is how far ahead of its slot a call may go at any time: the slot has
	// to pass before somebody who gains its shard uses it, too, even if we hear of
	// that as much later as the handover allows for.
	soonest = handover / 8
	// farthest is how far ahead while the shards are surely ours. Who hands them
	// over waits for such slots to pass (Lane.Keep).
	farthest = time.Second
	// fewAhead is how many calls may be ahead of their slots for one to go further
	// ahead than soonest: it spares waits where slots are far apart, and keeps
	// bursts short where they are not.
	fewAhead = 4
	// soonPace bounds the pace, in calls per second, at which calls go sooner.
	// Beyond it there is little to gain and much to remember.
	soonPace = 1000
)

// SoonerLead is the longest lead with which a call may go before its slot at any time:
// with a longer one only where calls may go further ahead than soonest.
const SoonerLead = soonest - Lateness

// reach is how far ahead of their slots calls may go at most. They come closer
// together than slots, for which the headroom of a window that is counted has to pay
// as well.
func (l limits) reach() time.Duration {
	reach := farthest.Seconds()
	for _, w := range l.longer {
		reach = min(reach, l.headroom*(float64(w.Count)/l.perSecond-l.over.Seconds()))
	}
	return time.Duration(reach * float64(time.Second))
}

// exchange is how much older than the slot that a call is ahead of a spare one may
// be: as old as the window is long, and as soonPace slots; 0: no call goes sooner.
func (l limits) exchange() time.Duration {
	if l.perSecond == 0 || l.perSecond > soonPace || l.reach() < soonest {
		return 0
	}
	return min(l.over, time.Duration(soonPace/l.perSecond*float64(time.Second)))
}

// reach is how far ahead of its slot a call may go at present.
func (q *quota) reach(s slot) time.Duration {
	most := q.limits.reach()
	if few := len(q.sooner.ahead) - fewAhead; few >= 0 {
		most = min(most, s.begin.Sub(q.sooner.ahead[few])) // then that one has begun
	}
	if !s.begin.Before(q.sooner.kept) {
		most = 0
	}
	return max(most, soonest)
}

// mayGoSooner tells whether a call for the slot may go from now on.
func (q *quota) mayGoSooner(s slot, now time.Time) bool {
	n := &q.sooner
	if n.within == 0 || s.borrowed || !s.begin.After(q.last) || now.Before(q.quiet) {
		return false
	}
	n.ahead = slices.Delete(n.ahead, 0, index(n.ahead, now))
	spare := n.spare[:index(n.spare, now)]
	enough := func(need int, begin time.Time) bool {
		return len(spare) >= need && !spare[len(spare)-need].Before(begin.Add(-n.within))
	}
	for i, begin := range n.ahead {
		if !enough(len(n.ahead)-i+1, begin) {
			return false
		}
	}
	return enough(1, s.begin)
}

// passUntil notes the slots that begin before then and that nobody has taken as spare,
// but for those that make up for late calls.
func (q *quota) passUntil(then time.Time) {
	n := &q.sooner
	if n.within == 0 || !then.After(n.passed) {
		return
	}
	since := then.Add(-n.within)
	n.spare = slices.Delete(n.spare, 0, index(n.spare, since))
	s, _, ok := q.nextOwn(q.last, latest(n.passed, since, q.quiet))
	for ok && s.begin.Before(then) {
		if !q.amend(s.begin) {
			n.spare = append(n.spare, s.begin)
		}
		s, _, ok = q.nextOwn(s.begin, s.begin)
	}
	n.passed = then
}

// spareUntil forgets the spare slots that begin from a time on: those that were passed
// over ahead of their time, and may be another's until it comes.
func (n *sooner) spareUntil(then time.Time) {
	n.spare = n.spare[:index(n.spare, then)]
}

// spend takes away the first spare slot from a time on until another, false if there is
// none.
func (n *sooner) spend(from, until time.Time) bool {
	i := index(n.spare, from)
	if i == len(n.spare) || !n.spare[i].Before(until) {
		return false
	}
	n.spare = slices.Delete(n.spare, i, i+1)
	return true
}

// pass notes that a slot is taken, and so that those before it that nobody took are
// spare.
func (q *quota) pass(s slot) {
	n := &q.sooner
	if n.within == 0 || s.borrowed || !s.begin.After(q.last) {
		return
	}
	q.passUntil(s.begin)
	if i := index(n.spare, s.begin); i < len(n.spare) && n.spare[i].Equal(s.begin) {
		n.spare = slices.Delete(n.spare, i, i+1) // a late call looked in between, and found it passed
	}
	if s.sooner {
		n.ahead = append(n.ahead, s.begin)
	}
}

// index returns the place of the first of some times at or past one.
func index(times []time.Time, at time.Time) int {
	i, _ := slices.BinarySearchFunc(times, at, time.Time.Compare)
	return i
}

// keep notes until when the owned shards are surely ours, and returns in how long the
// last slot has begun that a call went ahead of.
func (q *quota) keep(until, now time.Time) time.Duration {
	n := &q.sooner
	n.kept = until
	if len(n.ahead) == 0 {
		return 0
	}
	return max(0, min(n.ahead[len(n.ahead)-1].Sub(now), farthest)) // the clock may have been set
}
