package facekisim

import (
	"slices"
	"time"
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

// ledger is what was charged, in order. It is not safe for concurrent use.
type ledger struct {
	entries []Search
	// charges counts by picture.
	charges map[string]int
	// duplicates is the number of charges beyond the first of their picture.
	duplicates int
}

func newLedger() ledger {
	return ledger{charges: map[string]int{}}
}

func (l *ledger) add(s Search) {
	l.entries = append(l.entries, s)
	l.charges[s.ImageSHA256]++
	if l.charges[s.ImageSHA256] > 1 {
		l.duplicates++
	}
}

// charged returns the searches with the face of the person enrolled under
// reference, oldest first; all searches when it is empty.
func (l *ledger) charged(reference string) []Search {
	if reference == "" {
		return slices.Clone(l.entries)
	}
	found := []Search{}
	for _, s := range l.entries {
		if s.Reference == reference {
			found = append(found, s)
		}
	}
	return found
}

// doubled returns the searches with every picture charged more than once,
// grouped by picture, oldest first.
func (l *ledger) doubled() [][]Search {
	groups := [][]Search{}
	at := map[string]int{}
	for _, s := range l.entries {
		if l.charges[s.ImageSHA256] < 2 {
			continue
		}
		i, ok := at[s.ImageSHA256]
		if !ok {
			i = len(groups)
			at[s.ImageSHA256] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}
