package rekognitionsim

import (
	"maps"

	"reauth/internal/sandbox/vendorsim"
)

// Stats are counts since the start or the last Reset.
type Stats struct {
	// Calls arrived, whatever became of them.
	Calls int `json:"calls"`
	// Charged is the number of comparisons made.
	Charged int `json:"charged"`
	// Duplicates are the charges beyond the first for the same two pictures.
	Duplicates int `json:"duplicates"`
	// Errors counts the errors by type, those of mishaps left out.
	Errors map[string]int `json:"errors"`

	vendorsim.Traffic
	// PeakPerSecond is the most calls, refused ones included, that ever lay
	// within one second.
	PeakPerSecond int `json:"peak_per_second"`
}

func newStats(inFlight int) Stats {
	return Stats{Traffic: vendorsim.NewTraffic(inFlight), Errors: map[string]int{}}
}

func (s Stats) clone() Stats {
	s.Traffic, s.Errors = s.Traffic.Clone(), maps.Clone(s.Errors)
	return s
}
