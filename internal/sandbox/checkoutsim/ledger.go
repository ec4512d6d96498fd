package checkoutsim

import (
	"time"

	"reauth/internal/sandbox/vendorsim"
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

// kind is what makes a creation a repeat of another.
func (c Creation) kind() [2]string { return [2]string{c.ApplicantID, c.Key} }

// ledger is what was charged, by attempt, and what was made, by applicant and
// key. It is not safe for concurrent use.
type ledger struct {
	charges   vendorsim.Ledger[Charge, string]
	creations vendorsim.Ledger[Creation, [2]string]
}

func newLedger() ledger {
	return ledger{vendorsim.NewLedger(func(c Charge) string { return c.AttemptID }), vendorsim.NewLedger(Creation.kind)}
}
