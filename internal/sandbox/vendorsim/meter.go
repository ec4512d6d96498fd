package vendorsim

import "time"

// Meter counts calls against an allowance per second. The zero value has seen
// none. It is not safe for concurrent use.
type Meter struct {
	// arrivals are the times of the calls within the last second, oldest
	// first.
	arrivals []time.Time
	peak     int
}

// Admit records a call that arrives now and says whether it is allowed. It is
// beyond the allowance when as many calls as allowed have arrived less than one
// second before it; refused calls count like any other, so a caller that keeps
// hammering stays refused. Zero allows any number. Times must not go back.
func (m *Meter) Admit(now time.Time, perSecond int) bool {
	old := 0
	for old < len(m.arrivals) && now.Sub(m.arrivals[old]) >= time.Second {
		old++
	}
	m.arrivals = append(m.arrivals[old:], now)
	m.peak = max(m.peak, len(m.arrivals))
	return perSecond == 0 || len(m.arrivals) <= perSecond
}

// Peak is the most calls, refused ones included, ever seen within one second.
func (m *Meter) Peak() int { return m.peak }
