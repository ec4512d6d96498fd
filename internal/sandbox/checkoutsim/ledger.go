package checkoutsim

import (
	"slices"
	"time"
)

// Charge is one capture that was checked, and paid for.
type Charge struct {
	AuthenticationID string `json:"face_authentication_id"`
	AttemptID        string `json:"attempt_id"`
	ApplicantID      string `json:"applicant_id"`
	// Status is what the checks ended with: approved, declined, or
	// retry_required if they were inconclusive.
	Status Status    `json:"status"`
	At     time.Time `json:"at"`
}

// Creation is one face authentication that was made.
type Creation struct {
	AuthenticationID string    `json:"face_authentication_id"`
	ApplicantID      string    `json:"applicant_id"`
	Key              string    `json:"idempotency_key"`
	At               time.Time `json:"at"`
}

// ledger is what was charged, and what was made, in order. It is not safe for
// concurrent use.
type ledger struct {
	charges   []Charge
	creations []Creation
	// made counts creations by applicant and key.
	made map[[2]string]int
	// duplicates is the number of creations beyond the first of their kind.
	duplicates int
}

func newLedger() ledger { return ledger{made: map[[2]string]int{}} }

func (l *ledger) add(c Charge) { l.charges = append(l.charges, c) }

func (l *ledger) create(a *authentication) {
	l.creations = append(l.creations, Creation{a.id, a.applicant, a.key, a.created})
	kind := [2]string{a.applicant, a.key}
	l.made[kind]++
	if l.made[kind] > 1 {
		l.duplicates++
	}
}

// charged returns the charges for an applicant, oldest first; all of them when
// the id is empty.
func (l *ledger) charged(applicantID string) []Charge {
	if applicantID == "" {
		return slices.Clone(l.charges)
	}
	found := []Charge{}
	for _, c := range l.charges {
		if c.ApplicantID == applicantID {
			found = append(found, c)
		}
	}
	return found
}

// doubled returns the creations with every applicant and key that came more than
// once, grouped, oldest first.
func (l *ledger) doubled() [][]Creation {
	groups := [][]Creation{}
	at := map[[2]string]int{}
	for _, c := range l.creations {
		kind := [2]string{c.ApplicantID, c.Key}
		if l.made[kind] < 2 {
			continue
		}
		i, ok := at[kind]
		if !ok {
			i = len(groups)
			at[kind] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}
