package checkoutsim

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"regexp"
	"strings"
	"time"
)

// The patterns of ids (Checkout.com's API reference).
var (
	applicantID      = regexp.MustCompile(`^aplt_\w+$`)
	journeyID        = regexp.MustCompile(`^usj_[a-z2-7]{26}$`)
	authenticationID = regexp.MustCompile(`^fav_\w+$`)
	attemptID        = regexp.MustCompile(`^fatp_\w+$`)
)

// authentication is one face authentication. The simulator's books guards it.
type authentication struct {
	id, applicant, journey string
	// key is the Cko-Idempotency-Key that it was made with.
	key string
	// base is the address that the caller used for the API: links begin with it.
	base              string
	script            Script
	created, modified time.Time
	status            Status
	codes             []int
	// met is how many hurdles have been met.
	met int
	// attempts are all of them, oldest first.
	attempts   []*attempt
	anonymized bool
	// queue orders the events that are told of it.
	queue queue
}

// attempt is one link, and what came of it.
type attempt struct {
	of *authentication
	id string
	// token is the secret in the link.
	token             string
	created, modified time.Time
	status            AttemptStatus
	codes             []int
	redirectURL       string
	client            *clientInformation
	// visitor is who opened the link, nil before that.
	visitor *session
	// captured says that there are assets.
	captured bool
}

// session is what the vendor notes of a visitor.
type session struct {
	IPAddress string `json:"ip_address"`
	UserAgent string `json:"user_agent,omitempty"`
	Sessions  int    `json:"number_of_sessions"`
}

// last returns the newest attempt, nil if there is none.
func (a *authentication) last() *attempt {
	if len(a.attempts) == 0 {
		return nil
	}
	return a.attempts[len(a.attempts)-1]
}

// attemptOf returns the attempt called id, nil if there is none.
func (a *authentication) attemptOf(id string) *attempt {
	for _, at := range a.attempts {
		if at.id == id {
			return at
		}
	}
	return nil
}

// newID returns a new id with the prefix, of 26 characters of a-z and 2-7.
func newID(prefix string) string {
	return prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random(16)))
}

// newSecret returns 64 hexadecimal digits that nobody can guess.
func newSecret() string { return hex.EncodeToString(random(32)) }

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: Go ends the program before
	return b
}

// now is the time as the vendor writes it, in milliseconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
