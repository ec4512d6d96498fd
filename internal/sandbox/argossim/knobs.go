package argossim

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"reauth/internal/sandbox/fault"
)

// Knobs are what can be changed while the simulator runs. The JSON form is the
// admin API's.
type Knobs struct {
	// APIKeys are the accepted x-api-key values. Limits count per key.
	APIKeys []string `json:"api_keys"`
	// DenyAddress answers every call as if the caller were not on the
	// allow-list.
	DenyAddress bool `json:"deny_address"`
	// Outage, when set, hits every call before anything else.
	Outage fault.Outage `json:"outage"`

	// Latency is how long an authentication takes once its body is read. It
	// goes on when the caller leaves, and is charged all the same.
	Latency fault.Delay `json:"latency"`

	// PerSecond is the most calls of one key in any second, however it is
	// placed; 0 means no limit. Every call counts, the refused ones too.
	PerSecond int `json:"per_second"`
	// PerDay is the most calls of one key in a UTC day; 0 means no limit.
	PerDay int `json:"per_day"`
	// RetryAfterSeconds is sent with a 429; 0 sends no header.
	RetryAfterSeconds int `json:"retry_after_seconds"`

	// ErrorRate, ThrottleRate, ResetRate and HangRate are shares, 0 to 1, of
	// authentications without a mishap of their own that meet one: a 500,
	// 502 or 503; a 429; a reset, early or after the charge; a hang after it.
	ErrorRate    float64 `json:"error_rate"`
	ThrottleRate float64 `json:"throttle_rate"`
	ResetRate    float64 `json:"reset_rate"`
	HangRate     float64 `json:"hang_rate"`

	// ErrorStyle is how the body of a coded error is laid out.
	ErrorStyle ErrorStyle `json:"error_style"`
	// ErrorStatus is the HTTP status of a coded error. The vendor documents
	// none for this call; its sibling endpoints use 400.
	ErrorStatus int `json:"error_status"`
	// MaxBytes is the largest body taken; beyond it the answer is 413. The
	// vendor publishes none; cloud gateways often stop at 10 MiB.
	MaxBytes int64 `json:"max_bytes"`

	// ListShape is the layout of GET /faceauth.
	ListShape ListShape `json:"list_shape"`
	// ListLagMS is how old, in milliseconds, an authentication must be
	// before GET /faceauth shows it.
	ListLagMS int64 `json:"list_lag_ms"`

	// Mix gives the verdicts of submissions that are no script.
	Mix Mix `json:"mix"`
}

// ErrorStyle is a layout of error bodies. The vendor's documentation shows
// more than one.
type ErrorStyle string

// The error styles.
const (
	// StyleCode puts the code into errorCode and its text into message.
	StyleCode ErrorStyle = "code"
	// StyleText puts the text into errorCode and nothing else.
	StyleText ErrorStyle = "text"
	// StyleMixed is one or the other, by the submission id's hash.
	StyleMixed ErrorStyle = "mixed"
)

// ListShape is a layout of the list of authentications.
type ListShape string

// The list shapes.
const (
	// ListPaged is the newer: an array of one project with data and
	// nextPage_key.
	ListPaged ListShape = "paged"
	// ListFlat is the older: an array of items.
	ListFlat ListShape = "flat"
)

// DefaultKnobs are those of a vendor in good health with no limit set.
func DefaultKnobs() Knobs {
	return Knobs{
		APIKeys:           []string{"sandbox-argos-key"},
		RetryAfterSeconds: 1,
		ErrorStyle:        StyleMixed,
		ErrorStatus:       400,
		MaxBytes:          10 << 20,
		ListShape:         ListPaged,
		Mix:               Mix{Approved: 0.95, Rejected: 0.05},
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
	check(k.PerSecond >= 0 && k.PerDay >= 0, "per_second and per_day must not be negative")
	check(k.RetryAfterSeconds >= 0, "retry_after_seconds must not be negative")
	for name, rate := range map[string]float64{
		"error_rate": k.ErrorRate, "throttle_rate": k.ThrottleRate, "reset_rate": k.ResetRate, "hang_rate": k.HangRate,
	} {
		check(rate >= 0 && rate <= 1, "%s must be 0 to 1, is %v", name, rate)
	}
	check(k.ErrorRate+k.ThrottleRate+k.ResetRate+k.HangRate <= 1, "the rates must not add up to more than 1")
	check(slices.Contains([]ErrorStyle{StyleCode, StyleText, StyleMixed}, k.ErrorStyle), "no such error_style: %q", k.ErrorStyle)
	check(slices.Contains([]ListShape{ListPaged, ListFlat}, k.ListShape), "no such list_shape: %q", k.ListShape)
	check(k.ErrorStatus >= 200 && k.ErrorStatus <= 599, "error_status must be 200 to 599, is %d", k.ErrorStatus)
	check(k.MaxBytes > 0, "max_bytes must be above 0")
	check(k.ListLagMS >= 0, "list_lag_ms must not be negative")
	m := k.Mix
	check(min(m.Approved, m.Rejected, m.NoFace, m.Unknown, m.Unapproved) >= 0 &&
		math.Abs(m.Approved+m.Rejected+m.NoFace+m.Unknown+m.Unapproved-1) < 1e-9, "the shares of mix must add up to 1")
	return errors.Join(faults...)
}

// clone returns a copy that shares no memory with k.
func (k Knobs) clone() Knobs {
	k.APIKeys = slices.Clone(k.APIKeys)
	return k
}
