package facekisim

import (
	"errors"
	"fmt"

	"reauth/internal/sandbox/fault"
)

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
	// Outage, when set, hits every call before anything else.
	Outage fault.Outage `json:"outage"`

	// Latency is how long a search takes once its body is read. It goes on
	// when the caller leaves, and is charged all the same.
	Latency fault.Delay `json:"latency"`

	// PerSecond is the most searches in any second, however it is placed; 0
	// means no limit. The refused ones count too.
	PerSecond int `json:"per_second"`
	// RetryAfterSeconds is sent with a 429; 0 sends no header.
	RetryAfterSeconds int `json:"retry_after_seconds"`
	// Allowance is how many searches are paid for; those beyond it are
	// answered with 8017. 0 means any number.
	Allowance int `json:"allowance"`

	// ErrorRate, ThrottleRate, ResetRate and HangRate are shares, 0 to 1, of
	// searches without a script of their own that meet a mishap: a 500, 502
	// or 503; a 429; a reset, early or after the charge; a hang after it.
	ErrorRate    float64 `json:"error_rate"`
	ThrottleRate float64 `json:"throttle_rate"`
	ResetRate    float64 `json:"reset_rate"`
	HangRate     float64 `json:"hang_rate"`

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
		ClientID:          "sandbox-faceki-client",
		ClientSecret:      "sandbox-faceki-secret",
		TokenSeconds:      3600,
		RetryAfterSeconds: 1,
		ErrorStatus:       200,
		MaxBytes:          10 << 20,
	}
}

// Validate reports every value that makes no sense, joined.
func (k Knobs) Validate() error {
	faults := []error{k.Outage.Validate()}
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(k.ClientID != "" && k.ClientSecret != "", "client_id and client_secret must not be empty")
	check(k.TokenSeconds > 0, "token_seconds must be above 0")
	check(min(k.RevokeAfter, k.PerSecond, k.RetryAfterSeconds, k.Allowance, k.PersonalBytes) >= 0,
		"revoke_after, per_second, retry_after_seconds, allowance and personal_bytes must not be negative")
	for name, rate := range map[string]float64{
		"error_rate": k.ErrorRate, "throttle_rate": k.ThrottleRate, "reset_rate": k.ResetRate, "hang_rate": k.HangRate,
	} {
		check(rate >= 0 && rate <= 1, "%s must be 0 to 1, is %v", name, rate)
	}
	check(k.ErrorRate+k.ThrottleRate+k.ResetRate+k.HangRate <= 1, "the rates must not add up to more than 1")
	check(k.ErrorStatus >= 200 && k.ErrorStatus <= 599, "error_status must be 200 to 599, is %d", k.ErrorStatus)
	check(k.MaxBytes > 0, "max_bytes must be above 0")
	return errors.Join(faults...)
}
