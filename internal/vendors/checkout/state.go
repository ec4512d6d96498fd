package checkout

import (
	"encoding/json"
	"time"
)

// step is what the next call does.
type step string

// The steps that a state can ask for; before there is a state it is E1.
const (
	stepInvite  step = "invite"  // create an attempt, unless it may have been: then stepFind
	stepFind    step = "find"    // list the attempts
	stepLook    step = "look"    // get the face authentication
	stepAttempt step = "attempt" // get the attempt
)

// state is what the adapter keeps between its calls for a request. It is in the
// ledger, so it holds no link and nothing of the person.
type state struct {
	Version int  `json:"v"`
	Next    step `json:"next"`
	// ID is that of the face authentication.
	ID string `json:"fav"`
	// Until is the deadline as it was set when it began, LinkEnd when the link
	// of the attempt ends: Unix milliseconds of our clock.
	Until int64 `json:"until"`
	// Made is the number of attempts that are known to have been made. Attempt
	// is the id of the last, empty if there is none or it is not known.
	Made    int    `json:"made,omitempty"`
	Attempt string `json:"fatp,omitempty"`
	LinkEnd int64  `json:"link,omitempty"`
	// Looks counts those since Seen, the last status, was first seen.
	Looks int    `json:"looks,omitempty"`
	Seen  string `json:"seen,omitempty"`
	// Codes are the response codes of the attempt, at most maxListed.
	Codes []int `json:"codes,omitempty"`
}

const (
	stateVersion = 1
	// maxMade and maxLooks are where counting ends; either is far past the
	// point from which it makes a difference.
	maxMade, maxLooks = 9999, 999
)

// readState returns the state in text; the zero state for none.
func readState(text string) (s state, ok bool) {
	if text == "" {
		return state{}, true
	}
	if !decode([]byte(text), &s) || s.Version != stateVersion || !isFaceAuthenticationID(s.ID) || s.Until <= 0 || s.Made < 0 || s.Looks < 0 {
		return state{}, false
	}
	switch s.Next {
	case stepInvite, stepFind, stepLook:
		return s, s.Attempt == "" || isAttemptID(s.Attempt)
	case stepAttempt:
		return s, isAttemptID(s.Attempt)
	}
	return state{}, false
}

// text is the form in which the state is kept.
func (s state) text() string {
	s.Version = stateVersion
	s.Made, s.Looks = min(s.Made, maxMade), min(s.Looks, maxLooks)
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a struct of strings and numbers
	}
	return string(b)
}

// saw takes in the status of the authentication: looks become frequent again
// when there is progress.
func (s *state) saw(status string) {
	if s.Seen != status {
		s.Seen, s.Looks = status, 0
	}
}

// deadline is until when a verdict is waited for.
func (s state) deadline(notAfter time.Time) time.Time {
	until := time.UnixMilli(s.Until)
	if !notAfter.IsZero() && notAfter.Before(until) {
		return notAfter
	}
	return until
}
