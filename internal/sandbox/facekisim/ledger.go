package facekisim

import (
	"time"

	"reauth/internal/sandbox/vendorsim"
)

// Search is one charged search. It holds a digest of the picture, never the
// picture.
type Search struct {
	// Reference is that of the person in the picture, "" for nobody enrolled.
	Reference   string    `json:"reference"`
	Found       Find      `json:"found"`
	At          time.Time `json:"at"`
	ImageBytes  int       `json:"image_bytes"`
	ImageSHA256 string    `json:"image_sha256"`
}

// ledger is what was charged, by picture.
type ledger = vendorsim.Ledger[Search, string]

func newLedger() ledger {
	return vendorsim.NewLedger(func(s Search) string { return s.ImageSHA256 })
}
