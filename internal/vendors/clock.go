package vendors

import "time"

// Slots are places on the wall clock, by which replicas agree. A wall clock can be
// set: by NTP, by an operator, when a machine goes on that stood still. Then slots
// have passed in no time, or come again, and the times of all that was called are
// wrong. The monotonic clock goes on evenly; time.Now reads both, and so shows it.
//
// What is kept by wall-clock times then moves along (quota.set), and whoever waits for
// a time does so on the monotonic clock: a reading of time.Now and a duration, never
// a time of the wall clock alone.

// clock tells when the wall clock is set. It is not safe for concurrent use.
type clock struct {
	read func() time.Time // time.Now, but for tests
	// seen is a reading from since the clock was last set.
	seen    time.Time
	setting setting
}

// setting tells the times from before the wall clock was set from those after.
type setting struct {
	times int           // that it was set
	total time.Duration // by which it was, forward or back
}

func newClock(read func() time.Time) clock { return clock{read: read, seen: read()} }

// lookAgain is how often the clock is read until it is believed to have been set: a
// thread that is held up between the two readings of time.Now gets a false pair.
const lookAgain = 3

// look returns the time, and by how much the wall clock was set, 0 if that is no more
// than is bearable. What is not adds up until it is.
func (c *clock) look(bearable time.Duration) (now time.Time, by time.Duration) {
	for range lookAgain {
		now = c.read()
		if by = setBy(c.seen, now); by.Abs() <= bearable {
			return now, 0
		}
	}
	c.seen = now
	c.setting.times++
	c.setting.total += by
	return now, by
}

// setBy returns by how much the wall clock was set between two readings.
func setBy(a, b time.Time) time.Duration { return b.Round(0).Sub(a.Round(0)) - b.Sub(a) }

// reading returns a time of the wall clock as a reading of both clocks, as far from now
// on either.
func reading(now, wall time.Time) time.Time { return now.Add(wall.Sub(now.Round(0))) }

// set follows the wall clock, which was set by so much and says now: what it dated is
// as long ago, or as far ahead, as before.
//
// Slots then come at other times than they would have. Until they do, as many pass
// unused as the owned ones can be closer together than the others, and one: so that
// no window holds more of ours than it may on a clock that is never set. None of
// them, and none from before, is spare.
func (q *quota) set(by time.Duration, now time.Time) {
	q.last, q.quiet = moved(q.last, by), moved(q.quiet, by)
	q.table.set(by)
	for i := range q.amends {
		q.amends[i] = q.amends[i].Add(by)
	}
	for _, c := range q.shards {
		c.set(by)
	}
	q.sooner.set(by)
	// Slots that are lent stay so: the number is what others know. Those that are
	// borrowed or given back have passed, or are too far ahead.
	q.freed, q.loans.borrowed, q.loans.weighed = nil, nil, moved(q.loans.weighed, by)
	q.quiet = latest(q.quiet, latest(now, q.last).Add(q.table.gap(now)))
}

// moved is a time that the clock's setting moves, unless it is zero.
func moved(t time.Time, by time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(by)
}

func (t *timetable) set(by time.Duration) {
	t.first = moved(t.first, by)
	for i := range t.from {
		t.from[i] = moved(t.from[i], by)
	}
}

// gap is the length of as many slots as pass unused when the clock was set.
func (t *timetable) gap(now time.Time) time.Duration {
	r := t.pace.run(now)
	if r.microRate == 0 {
		return t.pace.over
	}
	slots := len(t.from) - t.owned + 1
	return time.Duration(float64(slots) * 1e6 / float64(r.microRate) * float64(time.Second))
}

func (c *counts) set(by time.Duration) {
	c.opens = moved(c.opens, by)
	for i := range c.windows {
		c.windows[i].set(by)
	}
}

// set moves all calls, at most by a span too late.
func (c *count) set(by time.Duration) {
	spans := int64(by / c.span)
	if by > 0 && by%c.span != 0 {
		spans++
	}
	for i := range c.buckets {
		c.buckets[i].number += spans
	}
}

func (n *sooner) set(by time.Duration) {
	n.spare, n.passed = nil, moved(n.passed, by)
	for i := range n.ahead {
		n.ahead[i] = n.ahead[i].Add(by)
	}
	if by < 0 { // if the machine stood still, so much of the time has passed
		n.kept = moved(n.kept, by)
	}
}
