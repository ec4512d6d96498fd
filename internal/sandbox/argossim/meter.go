package argossim

import (
	"time"

	"reauth/internal/sandbox/vendorsim"
)

// meter counts the calls of one API key. It is not safe for concurrent use.
type meter struct {
	second vendorsim.Meter
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

// admit records a call that arrives now and says whether it is allowed: within
// the second's allowance, where refused calls count, and within the day's, where
// they do not. Times must not go back.
func (m *meter) admit(now time.Time, perSecond, perDay int) limit {
	within := m.second.Admit(now, perSecond)
	if day := now.UTC().Format(time.DateOnly); day != m.day {
		m.day, m.today = day, 0
	}
	switch {
	case !within:
		return beyondSecond
	case perDay > 0 && m.today >= perDay:
		return beyondDay
	}
	m.today++
	return withinLimits
}
