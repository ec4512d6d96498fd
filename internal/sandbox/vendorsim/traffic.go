package vendorsim

import "maps"

// Traffic are the counts that every vendor keeps. It is not safe for concurrent
// use.
type Traffic struct {
	// Refused were beyond a limit.
	Refused int `json:"refused"`
	// Outage were hit by the outage, on any endpoint.
	Outage int `json:"outage"`
	// Mishaps counts those that happened, scripted or by rate, by kind.
	Mishaps map[MishapKind]int `json:"mishaps"`

	InFlight     int `json:"in_flight"`
	PeakInFlight int `json:"peak_in_flight"`
}

// NewTraffic returns none, but for the calls that are in flight.
func NewTraffic(inFlight int) Traffic {
	return Traffic{Mishaps: map[MishapKind]int{}, InFlight: inFlight, PeakInFlight: inFlight}
}

// Enter counts a call in.
func (t *Traffic) Enter() {
	t.InFlight++
	t.PeakInFlight = max(t.PeakInFlight, t.InFlight)
}

// Leave counts it out.
func (t *Traffic) Leave() { t.InFlight-- }

// Meet counts what a call met.
func (t *Traffic) Meet(k MishapKind) {
	if k != NoMishap {
		t.Mishaps[k]++
	}
}

// Clone returns a copy that shares no memory.
func (t Traffic) Clone() Traffic {
	t.Mishaps = maps.Clone(t.Mishaps)
	return t
}
