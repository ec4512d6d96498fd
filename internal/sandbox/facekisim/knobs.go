package facekisim

import "reauth/internal/sandbox/vendorsim"

// Knobs are what can be changed while the simulator runs. The JSON form is the
// admin API's.
type Knobs struct {
	// ClientID and ClientSecret are what a token is given for.
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	// TokenSeconds is how long a token is good, and what expires_in says.
	TokenSeconds int `json:"token_seconds"`
	// RevokeAfter is after how many uses a token is revoked; 0 means never.
	RevokeAfter int `json:"revoke_after"`
	// RefuseTokens answers every use of a token with 401.
	RefuseTokens bool `json:"refuse_tokens"`
	vendorsim.Health

	// PerSecond is the most searches in any second, however it is placed; 0
	// means no limit. The refused ones count too.
	PerSecond int `json:"per_second"`
	// Allowance is how many searches are paid for; those beyond it are
	// answered with 8017. 0 means any number.
	Allowance int `json:"allowance"`

	// ErrorStatus is the HTTP status of a coded error. The vendor documents
	// none.
	ErrorStatus int `json:"error_status"`
	// MaxBytes is the largest body taken; beyond it the answer is 413. The
	// vendor publishes none.
	MaxBytes int64 `json:"max_bytes"`
	// PersonalBytes are added to the personal data of each record.
	PersonalBytes int `json:"personal_bytes"`
}

// DefaultKnobs are those of a vendor in good health with no limit set.
func DefaultKnobs() Knobs {
	return Knobs{
		ClientID:     "sandbox-faceki-client",
		ClientSecret: "sandbox-faceki-secret",
		TokenSeconds: 3600,
		Health:       vendorsim.Health{RetryAfterSeconds: 1},
		ErrorStatus:  200,
		MaxBytes:     10 << 20,
	}
}

// Validate reports every value that makes no sense, joined.
func (k Knobs) Validate() error {
	faults := vendorsim.Checks{k.Health.Validate()}
	faults.That(k.ClientID != "" && k.ClientSecret != "", "client_id and client_secret must not be empty")
	faults.That(k.TokenSeconds > 0, "token_seconds must be above 0")
	faults.That(min(k.RevokeAfter, k.PerSecond, k.Allowance, k.PersonalBytes) >= 0,
		"revoke_after, per_second, allowance and personal_bytes must not be negative")
	faults.That(k.ErrorStatus >= 200 && k.ErrorStatus <= 599, "error_status must be 200 to 599, is %d", k.ErrorStatus)
	faults.That(k.MaxBytes > 0, "max_bytes must be above 0")
	return faults.Err()
}

// Clone returns a copy.
func (k Knobs) Clone() Knobs { return k }
