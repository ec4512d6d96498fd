package rekognitionsim

import (
	"slices"
	"time"
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

// ledger is what was charged, in order. It is not safe for concurrent use.
type ledger struct {
	entries []Comparison
	charges map[pair]int
	// duplicates is the number of charges beyond the first of their pair.
	duplicates int
}

func newLedger() ledger { return ledger{charges: map[pair]int{}} }

func (l *ledger) add(c Comparison) {
	l.entries = append(l.entries, c)
	l.charges[c.pair()]++
	if l.charges[c.pair()] > 1 {
		l.duplicates++
	}
}

// charged returns the comparisons of selfies with the person, oldest first; all
// when it is empty.
func (l *ledger) charged(person string) []Comparison {
	found := []Comparison{}
	for _, c := range l.entries {
		if person == "" || c.Person == person {
			found = append(found, c)
		}
	}
	return found
}

// doubled returns the comparisons of every pair charged more than once, grouped
// by pair, oldest first.
func (l *ledger) doubled() [][]Comparison {
	groups := [][]Comparison{}
	for _, c := range l.entries {
		if l.charges[c.pair()] < 2 {
			continue
		}
		at := slices.IndexFunc(groups, func(g []Comparison) bool { return g[0].pair() == c.pair() })
		if at < 0 {
			groups = append(groups, []Comparison{c})
			continue
		}
		groups[at] = append(groups[at], c)
	}
	return groups
}
