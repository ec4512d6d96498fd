package facekisim

import "maps"

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
	// Refused were beyond PerSecond.
	Refused int `json:"refused"`
	// Unauthorized had no good token, on any endpoint.
	Unauthorized int `json:"unauthorized"`
	// Outage were hit by the outage, on any endpoint.
	Outage int `json:"outage"`
	// Errors counts the coded errors by code, and 413 as "too_large".
	Errors map[string]int `json:"errors"`
	// Mishaps counts those that happened, scripted or by rate, by kind.
	Mishaps map[MishapKind]int `json:"mishaps"`
	// Tokens were given out; TokensRefused were asked for with wrong
	// credentials.
	Tokens        int `json:"tokens"`
	TokensRefused int `json:"tokens_refused"`
	// Rules are calls for the company's rules.
	Rules int `json:"rules"`

	InFlight     int `json:"in_flight"`
	PeakInFlight int `json:"peak_in_flight"`
	// PeakPerSecond is the most calls, refused ones included, that ever lay
	// within one second.
	PeakPerSecond int `json:"peak_per_second"`
}

func newStats() Stats {
	return Stats{Found: map[Find]int{}, Errors: map[string]int{}, Mishaps: map[MishapKind]int{}}
}

func (s Stats) clone() Stats {
	s.Found, s.Errors, s.Mishaps = maps.Clone(s.Found), maps.Clone(s.Errors), maps.Clone(s.Mishaps)
	return s
}
