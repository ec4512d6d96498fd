package vendorsim

import (
	"math"
	"slices"
)

// MishapKind names what can go wrong with a call, as it is written in scripts.
type MishapKind string

// The mishaps that every vendor knows.
const (
	NoMishap     MishapKind = ""
	Throttled    MishapKind = "429"
	ThrottleBare MishapKind = "429bare"
	Status500    MishapKind = "500"
	Status502    MishapKind = "502"
	Status503    MishapKind = "503"
	ResetEarly   MishapKind = "resetearly"
	Status504    MishapKind = "504"
	BadJSON      MishapKind = "badjson"
	Reset        MishapKind = "reset"
	Hang         MishapKind = "hang"
)

var mishaps = []MishapKind{Throttled, ThrottleBare, Status500, Status502, Status503, ResetEarly, Status504, BadJSON, Reset, Hang}

// ParseMishap reads a word of a script.
func ParseMishap(word string) (k MishapKind, ok bool) {
	k = MishapKind(word)
	return k, slices.Contains(mishaps, k)
}

// Committed reports whether the mishap comes after what was asked has been done,
// and charged.
func (k MishapKind) Committed() bool {
	switch k {
	case Status504, BadJSON, Reset, Hang:
		return true
	}
	return false
}

// Mishap is what goes wrong with the first calls about a subject.
type Mishap struct {
	Kind MishapKind
	// Code is the vendor's error code, for a kind that has one, and Status its
	// HTTP status, 0 for the usual.
	Code   string
	Status int
	// Times is how many calls it happens to; Always means every one.
	Times int
}

// Always is the Times of a mishap that never ends.
const Always = math.MaxInt

// ParseTimes reads a word of a script: once, twice or always.
func ParseTimes(word string) (times int, ok bool) {
	switch word {
	case "once":
		return 1, true
	case "twice":
		return 2, true
	case "always":
		return Always, true
	}
	return 0, false
}
