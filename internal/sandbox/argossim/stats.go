package argossim

import (
	"maps"
	"time"

	"reauth/internal/sandbox/vendorsim"
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
	// Forbidden had a wrong key, address or path, on any endpoint.
	Forbidden int `json:"forbidden"`
	// Abandoned were left by the caller before their body was whole.
	Abandoned int `json:"abandoned"`
	// Errors counts the coded errors by code, and 413 as "too_large".
	Errors map[string]int `json:"errors"`
	// Lists, Images and Deletes are calls to the other endpoints.
	Lists   int `json:"lists"`
	Images  int `json:"images"`
	Deletes int `json:"deletes"`

	vendorsim.Traffic
	// PeakPerSecond is the most calls of one key, refused ones and all
	// endpoints included, that ever lay within one second.
	PeakPerSecond int `json:"peak_per_second"`
	// ImageBytes is the size of all pictures received.
	ImageBytes int64 `json:"image_bytes"`
	// FirstCall and LastCall are arrival times, zero without a call.
	FirstCall time.Time `json:"first_call,omitzero"`
	LastCall  time.Time `json:"last_call,omitzero"`
}

func newStats(inFlight int) Stats {
	return Stats{Traffic: vendorsim.NewTraffic(inFlight), Errors: map[string]int{}}
}

func (s Stats) clone() Stats {
	s.Traffic, s.Errors = s.Traffic.Clone(), maps.Clone(s.Errors)
	return s
}
