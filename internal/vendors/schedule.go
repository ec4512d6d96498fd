package vendors

import (
	"slices"
	"time"
)

// Period is a part of the day, on some days of the week, in which a lane's pace
// is lower.
type Period struct {
	// Days are those on which the period begins; none: every day.
	Days []time.Weekday
	// From and To are times of day, as the time since midnight on the clock of
	// Location, 0 to 24 h. A period whose To is not after its From ends on the
	// next day.
	From, To time.Duration
	Location *time.Location
	// PerSecond is the pace in calls per second, before headroom, for the whole
	// group; 0: no calls. Limits hold beside it.
	PerSecond float64
}

// Schedule are periods, of which the first that covers a time holds. Outside of
// all of them the limits alone do.
type Schedule []Period

// scheduleSpan is how far a schedule is looked through at a time, in days: every
// period begins within a week.
const scheduleSpan = 8

// perSecond returns the pace at a time, full outside of all periods.
func (s Schedule) perSecond(at time.Time, full float64) float64 {
	for _, p := range s {
		if p.covers(at) {
			return min(full, p.PerSecond)
		}
	}
	return full
}

func (p Period) covers(at time.Time) bool {
	for day := -1; day <= 0; day++ {
		if begin, end, ok := p.on(at, day); ok && !at.Before(begin) && at.Before(end) {
			return true
		}
	}
	return false
}

// on returns when the period begins and ends that begins days after the day of
// at; ok is false if none does. Where the clock is put forward over a bound, the
// bound is as time.Date has it: what matters is that every replica has the same.
func (p Period) on(at time.Time, days int) (begin, end time.Time, ok bool) {
	y, m, d := at.In(p.Location).Date()
	noon := time.Date(y, m, d+days, 12, 0, 0, 0, p.Location)
	if len(p.Days) > 0 && !slices.Contains(p.Days, noon.Weekday()) {
		return time.Time{}, time.Time{}, false
	}
	begin = time.Date(y, m, d+days, 0, 0, 0, int(p.From), p.Location)
	if p.To <= p.From {
		days++
	}
	return begin, time.Date(y, m, d+days, 0, 0, 0, int(p.To), p.Location), true
}

// changes returns the times around at when periods begin or end, in order.
func (s Schedule) changes(at time.Time) (times []time.Time) {
	for _, p := range s {
		for day := -scheduleSpan; day <= scheduleSpan; day++ {
			if begin, end, ok := p.on(at, day); ok {
				times = append(times, begin, end)
			}
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// stretch is a span of time in which the pace is the same.
type stretch struct {
	perSecond float64
	// from and to bound it; zero where the schedule changes nothing for days.
	from, to time.Time
	// before is the highest pace within over before from.
	before float64
}

// at returns the stretch that a time is in. It may end before the pace changes,
// but never after.
func (s Schedule) at(at time.Time, full float64, over time.Duration) stretch {
	if len(s) == 0 {
		return stretch{perSecond: full}
	}
	st := stretch{perSecond: s.perSecond(at, full), to: at.Add(24 * time.Hour)}
	changes := s.changes(at)
	for _, c := range changes {
		if c.After(at) {
			st.to = c
			break
		}
		if s.perSecond(c.Add(-1), full) != s.perSecond(c, full) {
			st.from = c
		}
	}
	for _, c := range changes {
		if c.After(st.from.Add(-over)) && !c.After(st.from) {
			st.before = max(st.before, s.perSecond(c.Add(-1), full))
		}
	}
	return st
}
