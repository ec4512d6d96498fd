package argossim

import (
	"time"

	"reauth/internal/sandbox/vendorsim"
)

// Authentication is one charged authentication. It holds a digest of the
// picture, never the picture.
type Authentication struct {
	ID           string             `json:"authentication_id"`
	SubmissionID string             `json:"submission_id"`
	UserID       string             `json:"user_id,omitempty"`
	CF1          string             `json:"cf1,omitempty"`
	CF2          string             `json:"cf2,omitempty"`
	CF3          string             `json:"cf3,omitempty"`
	FailCodes    []string           `json:"fail_code,omitempty"`
	Score        map[string]float64 `json:"score"`
	At           time.Time          `json:"at"`
	ImageBytes   int64              `json:"image_bytes"`
	ImageSHA256  string             `json:"image_sha256"`
	// Deleted is set by DELETE /faceauth. What the caller said about it stays,
	// so that charges can still be told apart.
	Deleted bool `json:"deleted"`
}

// status is the auth_status of the API.
func (a Authentication) status() string {
	if len(a.FailCodes) > 0 {
		return "rejected"
	}
	return "approved"
}

// request is all that the caller said about what the authentication is for.
// Two charges with the same one are the same request, paid twice.
func (a Authentication) request() [5]string {
	return [5]string{a.SubmissionID, a.UserID, a.CF1, a.CF2, a.CF3}
}

// ledger is what was charged, in order. It is not safe for concurrent use.
type ledger struct {
	vendorsim.Ledger[Authentication, [5]string]
	byID map[string]*Authentication
}

func newLedger() ledger {
	return ledger{vendorsim.NewLedger(Authentication.request), map[string]*Authentication{}}
}

func (l *ledger) add(a Authentication) {
	l.Add(&a)
	l.byID[a.ID] = &a
}

// find returns the authentication called id, nil when there is none.
func (l *ledger) find(id string) *Authentication { return l.byID[id] }
