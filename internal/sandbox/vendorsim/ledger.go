package vendorsim

import (
	"iter"
	"slices"
)

// Ledger is what a vendor charged, or made, in order. It is not safe for
// concurrent use.
type Ledger[E any, K comparable] struct {
	// kind is what makes one entry a repeat of another.
	kind func(E) K
	// entries are pointers, as to move a million of them to a larger array
	// holds nobody up for long.
	entries []*E
	// times counts entries by kind.
	times   map[K]int
	repeats int
}

// NewLedger returns an empty one, whose entries are of a kind if kind says so.
func NewLedger[E any, K comparable](kind func(E) K) Ledger[E, K] {
	return Ledger[E, K]{kind: kind, times: map[K]int{}}
}

// Add adds an entry, which the ledger keeps.
func (l *Ledger[E, K]) Add(e *E) {
	l.entries = append(l.entries, e)
	k := l.kind(*e)
	l.times[k]++
	if l.times[k] > 1 {
		l.repeats++
	}
}

// Repeats is the number of entries beyond the first of their kind.
func (l *Ledger[E, K]) Repeats() int { return l.repeats }

// Backward goes through the entries themselves, newest first.
func (l *Ledger[E, K]) Backward() iter.Seq2[int, *E] { return slices.Backward(l.entries) }

// Where returns the entries that are wanted, oldest first.
func (l *Ledger[E, K]) Where(wanted func(E) bool) []E {
	found := []E{}
	for _, e := range l.entries {
		if wanted(*e) {
			found = append(found, *e)
		}
	}
	return found
}

// Repeated returns the entries of every kind that there is more than one of,
// grouped by kind, oldest first.
func (l *Ledger[E, K]) Repeated() [][]E {
	groups := [][]E{}
	at := map[K]int{}
	for _, e := range l.entries {
		k := l.kind(*e)
		if l.times[k] < 2 {
			continue
		}
		i, ok := at[k]
		if !ok {
			i = len(groups)
			at[k] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], *e)
	}
	return groups
}
