package argossim

import (
	"math"
	"slices"

	"reauth/internal/sandbox/vendorsim"
)

// Knobs are what can be changed while the simulator runs. The JSON form is the
// admin API's.
type Knobs struct {
	// APIKeys are the accepted x-api-key values. Limits count per key.
	APIKeys []string `json:"api_keys"`
	// DenyAddress answers every call as if the caller were not on the
	// allow-list.
	DenyAddress bool `json:"deny_address"`
	vendorsim.Health

	// PerSecond is the most calls of one key in any second, however it is
	// placed; 0 means no limit. Every call counts, the refused ones too.
	PerSecond int `json:"per_second"`
	// PerDay is the most calls of one key in a UTC day; 0 means no limit.
	PerDay int `json:"per_day"`

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
		APIKeys:     []string{"sandbox-argos-key"},
		Health:      vendorsim.Health{RetryAfterSeconds: 1},
		ErrorStyle:  StyleMixed,
		ErrorStatus: 400,
		MaxBytes:    10 << 20,
		ListShape:   ListPaged,
		Mix:         Mix{Approved: 0.95, Rejected: 0.05},
	}
}

// Validate reports every value that makes no sense, joined.
func (k Knobs) Validate() error {
	faults := vendorsim.Checks{k.Health.Validate()}
	faults.That(k.PerSecond >= 0 && k.PerDay >= 0, "per_second and per_day must not be negative")
	faults.That(slices.Contains([]ErrorStyle{StyleCode, StyleText, StyleMixed}, k.ErrorStyle), "no such error_style: %q", k.ErrorStyle)
	faults.That(slices.Contains([]ListShape{ListPaged, ListFlat}, k.ListShape), "no such list_shape: %q", k.ListShape)
	faults.That(k.ErrorStatus >= 200 && k.ErrorStatus <= 599, "error_status must be 200 to 599, is %d", k.ErrorStatus)
	faults.That(k.MaxBytes > 0, "max_bytes must be above 0")
	faults.That(k.ListLagMS >= 0, "list_lag_ms must not be negative")
	m := k.Mix
	faults.That(min(m.Approved, m.Rejected, m.NoFace, m.Unknown, m.Unapproved) >= 0 &&
		math.Abs(m.Approved+m.Rejected+m.NoFace+m.Unknown+m.Unapproved-1) < 1e-9, "the shares of mix must add up to 1")
	return faults.Err()
}

// Clone returns a copy that shares no memory with k.
func (k Knobs) Clone() Knobs {
	k.APIKeys = slices.Clone(k.APIKeys)
	return k
}
