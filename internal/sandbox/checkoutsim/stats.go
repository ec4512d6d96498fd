package checkoutsim

import (
	"maps"

	"reauth/internal/sandbox/vendorsim"
)

// Stats are counts since the start or the last Reset, except where it says
// otherwise.
type Stats struct {
	// Calls arrived at the API, whatever became of them, by endpoint.
	Calls map[Call]int `json:"calls"`
	// Created is the number of face authentications made, and Duplicates that
	// of those beyond the first for the same applicant and Cko-Idempotency-Key.
	Created    int `json:"created"`
	Duplicates int `json:"duplicates"`
	// Attempts were made. AttemptsWhileLive are those that ended another
	// whose link somebody might have been about to open; PeakLive is the most
	// that one authentication had at once, counting one that the new one was
	// about to end: above 1 says that a link was taken away.
	Attempts          int `json:"attempts"`
	AttemptsWhileLive int `json:"attempts_while_live"`
	PeakLive          int `json:"peak_live"`
	// Conflicts are attempts asked for in a state that allows none.
	Conflicts int `json:"conflicts"`
	// DeadLinks is how often somebody opened a link that led nowhere any more,
	// or was before the camera when it ceased to.
	DeadLinks int `json:"dead_links"`
	Expired   int `json:"expired"`
	// Charged is the number of captures checked.
	Charged    int `json:"charged"`
	Audited    int `json:"audited"`
	Anonymized int `json:"anonymized"`
	// Pictures is how often a face_image was fetched; FilesWithCredentials were
	// asked for with some, which have no business there.
	Pictures             int `json:"pictures"`
	FilesWithCredentials int `json:"files_with_credentials"`

	// Statuses are those of all authentications now, and Unattempted is how
	// many of them never had an attempt: left behind, or not there yet.
	Statuses    map[Status]int `json:"statuses"`
	Unattempted int            `json:"unattempted"`

	// Errors counts refused calls by code; those without one by their status.
	Errors map[string]int `json:"errors"`
	// Unauthorized had no good token or key, Forbidden met Knobs.Forbid.
	Unauthorized int `json:"unauthorized"`
	Forbidden    int `json:"forbidden"`
	// Tokens were given out; TokensRefused were asked for in vain.
	Tokens        int `json:"tokens"`
	TokensRefused int `json:"tokens_refused"`

	vendorsim.Traffic
	// ReadsRefused and WritesRefused make up Refused. The peaks are the most
	// calls, refused ones included, that ever lay within one second.
	ReadsRefused  int `json:"reads_refused"`
	WritesRefused int `json:"writes_refused"`
	PeakReads     int `json:"peak_reads"`
	PeakWrites    int `json:"peak_writes"`

	Webhook Deliveries `json:"webhook"`
}

// Deliveries are counts of what was done with events.
type Deliveries struct {
	// Events happened while there was a webhook.
	Events int `json:"events"`
	// Tries were made to send one; Taken were answered with a 2xx, Rejected
	// with another status, and Unanswered not at all. GivenUp are events that
	// were not taken within the tries there are.
	Tries      int `json:"tries"`
	Taken      int `json:"taken"`
	Rejected   int `json:"rejected"`
	Unanswered int `json:"unanswered"`
	GivenUp    int `json:"given_up"`
	// Lost, Late, Swapped and Twice count the events that this happened to.
	Lost    int `json:"lost"`
	Late    int `json:"late"`
	Swapped int `json:"swapped"`
	Twice   int `json:"twice"`
	// Forged and Unsigned were sent by somebody else, Oversized are too large;
	// none of them is among the tries. FakesTaken are those forged or unsigned
	// that were answered with a 2xx: none should be. OversizedTaken likewise.
	Forged         int `json:"forged"`
	Unsigned       int `json:"unsigned"`
	Oversized      int `json:"oversized"`
	FakesTaken     int `json:"fakes_taken"`
	OversizedTaken int `json:"oversized_taken"`
}

func newStats(inFlight int) Stats {
	return Stats{Traffic: vendorsim.NewTraffic(inFlight), Calls: map[Call]int{}, Errors: map[string]int{}}
}

func (s Stats) clone() Stats {
	s.Traffic, s.Calls, s.Errors = s.Traffic.Clone(), maps.Clone(s.Calls), maps.Clone(s.Errors)
	return s
}
