package vendors

import "time"

// spare are slots of ours that nobody takes, by when each begins, oldest first.
//
// With them a call need not wait for its slot: it goes at once, and a spare one that
// has passed stays unused for good in exchange. A span as long as the window that
// has such a call in it has one of the two slots in it as well: the spare one, or if
// that began before the span, the call's own, which begins at most a window after
// the spare one. So it holds no more calls than slots, as if each call were made in
// its slot. At full load no slot is spare, and calls are as evenly spaced as slots.
type spare []time.Time

const (
	// soonest is how far ahead of its slot a call may go: the slot has to pass
	// before somebody who gains its shard uses it, too, even if we hear of that as
	// much later as the handover allows for.
	soonest = handover / 8
	// soonPace bounds the pace, in calls per second, at which calls go sooner.
	// Beyond it there is little to gain and much to remember.
	soonPace = 1000
)

// exchange is how far the begins of a spare slot and of the one that it is
// exchanged for are apart at most; 0: none is. Calls that go sooner come closer
// together than slots, for which the headroom of a window that is counted has to
// pay as well.
func (l limits) exchange() time.Duration {
	if l.perSecond > soonPace {
		return 0
	}
	jitter := l.headroom*l.over.Seconds() + soonest.Seconds()
	for _, w := range l.longer {
		if float64(w.Count)*l.headroom < l.perSecond*jitter {
			return 0
		}
	}
	return min(l.over, time.Second)
}

// exchanged tells whether there is a spare slot in exchange for a call's from now on.
func (q *quota) exchanged(s slot, now time.Time) bool {
	if q.exchange == 0 || s.borrowed || !s.begin.After(q.last) || now.Before(q.quiet) {
		return false
	}
	since := s.begin.Add(-q.exchange)
	for _, begin := range q.spare {
		if !begin.Before(since) {
			return !begin.After(now)
		}
	}
	passed, _, ok := q.nextOwn(q.last, latest(since, q.quiet))
	return ok && !passed.begin.After(now)
}

// pass notes the slots between the latest taken and s as spare, and the one that s
// is exchanged for as spare no more.
func (q *quota) pass(s slot) {
	if !s.begin.After(q.last) || q.exchange == 0 {
		return
	}
	since := s.begin.Add(-q.exchange)
	for len(q.spare) > 0 && q.spare[0].Before(since) {
		q.spare = q.spare[1:]
	}
	passed, _, ok := q.nextOwn(q.last, latest(since, q.quiet))
	for ok && passed.begin.Before(s.begin) {
		q.spare = append(q.spare, passed.begin)
		passed, _, ok = q.nextOwn(passed.begin, passed.begin)
	}
	// The spare one may have left with its shard since it was found.
	if s.sooner && len(q.spare) > 0 {
		q.spare = q.spare[1:]
	}
}
