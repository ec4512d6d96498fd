package argossim

import "time"

// meter counts the calls of one API key. It is not safe for concurrent use.
type meter struct {
	// arrivals are the times of the calls within the last second, oldest
	// first.
	arrivals []time.Time
	// peak is the most arrivals ever seen within one second.
	peak int
	// day is the UTC date that today counts.
	day   string
	today int
}

// limit says which allowance a call is beyond.
type limit uint8

const (
	withinLimits limit = iota
	beyondSecond
	beyondDay
)

// admit records a call that arrives now and says whether it is allowed. A call
// is beyond the second's allowance when as many calls as allowed have arrived
// less than one second before it; refused calls count like any other, so a
// caller that keeps hammering stays refused. The day counts admitted calls.
// Times must not go back.
func (m *meter) admit(now time.Time, perSecond, perDay int) limit {
	old := 0
	for old < len(m.arrivals) && now.Sub(m.arrivals[old]) >= time.Second {
		old++
	}
	m.arrivals = append(m.arrivals[old:], now)
	m.peak = max(m.peak, len(m.arrivals))
	if day := now.UTC().Format(time.DateOnly); day != m.day {
		m.day, m.today = day, 0
	}
	switch {
	case perSecond > 0 && len(m.arrivals) > perSecond:
		return beyondSecond
	case perDay > 0 && m.today >= perDay:
		return beyondDay
	}
	m.today++
	return withinLimits
}
