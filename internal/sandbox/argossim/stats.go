package argossim

import (
	"maps"
	"time"
)

// Stats are counts since the start or the last Reset. Calls are POST /faceauth
// only, except where it says otherwise.
type Stats struct {
	// Calls arrived, whatever became of them.
	Calls int `json:"calls"`
	// Charged is the number of authentications made: approved and rejected.
	Charged  int `json:"charged"`
	Approved int `json:"approved"`
	Rejected int `json:"rejected"`
	// Duplicates are the charges beyond the first for the same submission,
	// user id and custom fields.
	Duplicates int `json:"duplicates"`
	// Refused were beyond a limit of their key, on any endpoint.
	Refused int `json:"refused"`
	// Forbidden had a wrong key, address or path, on any endpoint.
	Forbidden int `json:"forbidden"`
	// Outage were hit by the outage, on any endpoint.
	Outage int `json:"outage"`
	// Abandoned were left by the caller before their body was whole.
	Abandoned int `json:"abandoned"`
	// Errors counts the coded errors by code, and 413 as "too_large".
	Errors map[string]int `json:"errors"`
	// Mishaps counts those that happened, scripted or by rate, by kind.
	Mishaps map[MishapKind]int `json:"mishaps"`
	// Lists, Images and Deletes are calls to the other endpoints.
	Lists   int `json:"lists"`
	Images  int `json:"images"`
	Deletes int `json:"deletes"`

	InFlight     int `json:"in_flight"`
	PeakInFlight int `json:"peak_in_flight"`
	// PeakPerSecond is the most calls of one key, refused ones and all
	// endpoints included, that ever lay within one second.
	PeakPerSecond int `json:"peak_per_second"`
	// ImageBytes is the size of all pictures received.
	ImageBytes int64 `json:"image_bytes"`
	// FirstCall and LastCall are arrival times, zero without a call.
	FirstCall time.Time `json:"first_call,omitzero"`
	LastCall  time.Time `json:"last_call,omitzero"`
}

func newStats() Stats {
	return Stats{Errors: map[string]int{}, Mishaps: map[MishapKind]int{}}
}

func (s Stats) clone() Stats {
	s.Errors, s.Mishaps = maps.Clone(s.Errors), maps.Clone(s.Mishaps)
	return s
}
