package rekognitionsim

import (
	"time"

	"reauth/internal/sandbox/vendorsim"
)

// Comparison is one charged comparison. It holds a digest of the selfie, never
// the selfie.
type Comparison struct {
	// Person is the one in the selfie.
	Person string `json:"person"`
	// Reference is what the selfie was compared with: bucket, key and version,
	// or the digest of a picture that came with the call.
	Reference string `json:"reference"`
	// Similarity is that of the most similar face, 0 for none.
	Similarity   float64   `json:"similarity"`
	At           time.Time `json:"at"`
	SelfieBytes  int       `json:"selfie_bytes"`
	SelfieSHA256 string    `json:"selfie_sha256"`
}

// pair is what makes a comparison a repeat of another.
type pair struct{ reference, selfie string }

func (c Comparison) pair() pair { return pair{c.Reference, c.SelfieSHA256} }

// ledger is what was charged, by pair.
type ledger = vendorsim.Ledger[Comparison, pair]

func newLedger() ledger { return vendorsim.NewLedger(Comparison.pair) }
