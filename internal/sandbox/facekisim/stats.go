package facekisim

import (
	"maps"

	"reauth/internal/sandbox/vendorsim"
)

// Stats are counts since the start or the last Reset. Calls are searches, except
// where it says otherwise.
type Stats struct {
	// Calls arrived, whatever became of them.
	Calls int `json:"calls"`
	// Charged is the number of searches made.
	Charged int `json:"charged"`
	// Found counts those by what they found.
	Found map[Find]int `json:"found"`
	// Duplicates are the charges beyond the first for the same picture.
	Duplicates int `json:"duplicates"`
	// Unauthorized had no good token, on any endpoint.
	Unauthorized int `json:"unauthorized"`
	// Errors counts the coded errors by code, and 413 as "too_large".
	Errors map[string]int `json:"errors"`
	// Tokens were given out; TokensRefused were asked for with wrong
	// credentials.
	Tokens        int `json:"tokens"`
	TokensRefused int `json:"tokens_refused"`
	// Rules are calls for the company's rules.
	Rules int `json:"rules"`

	vendorsim.Traffic
	// PeakPerSecond is the most calls, refused ones included, that ever lay
	// within one second.
	PeakPerSecond int `json:"peak_per_second"`
}

func newStats(inFlight int) Stats {
	return Stats{Traffic: vendorsim.NewTraffic(inFlight), Found: map[Find]int{}, Errors: map[string]int{}}
}

func (s Stats) clone() Stats {
	s.Traffic, s.Found, s.Errors = s.Traffic.Clone(), maps.Clone(s.Found), maps.Clone(s.Errors)
	return s
}
