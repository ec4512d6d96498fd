package vendorsim

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// charge is an entry for the request called by its first letter.
type charge string

func TestLedgerGroupsRepeats(t *testing.T) {
	l := NewLedger(func(c charge) byte { return c[0] })
	if all, groups := l.Where(func(charge) bool { return true }), l.Repeated(); all == nil || groups == nil || len(all)+len(groups) != 0 {
		t.Errorf("of nothing: %v, %v; want empty ones", all, groups)
	}
	for _, c := range []charge{"c1", "a1", "b1", "a2", "c2", "a3"} {
		l.Add(&c)
	}
	if l.Repeats() != 3 {
		t.Errorf("%d repeats, want 3", l.Repeats())
	}
	if diff := cmp.Diff([][]charge{{"c1", "c2"}, {"a1", "a2", "a3"}}, l.Repeated()); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	var newestFirst []charge
	for _, c := range l.Backward() {
		newestFirst = append(newestFirst, *c)
		*c += "!"
	}
	if diff := cmp.Diff([]charge{"a3", "c2", "a2", "b1", "a1", "c1"}, newestFirst); diff != "" {
		t.Errorf("backward (-want +got):\n%s", diff)
	}
	found := l.Where(func(c charge) bool { return c[0] == 'a' })
	if diff := cmp.Diff([]charge{"a1!", "a2!", "a3!"}, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
