package pipeline

import (
	"testing"
)

// outcomes counts results by request id.
func outcomes(w *world) map[string]int {
	n := map[string]int{}
	for _, r := range w.results() {
		n[r.RequestID]++
	}
	return n
}

func wantOncePerRequest(t *testing.T, w *world, requests int) {
	t.Helper()
	wantOnceEach(t, "results", outcomes(w), requests)
}

// wantOnceEach wants one of a kind for each of so many.
func wantOnceEach(t *testing.T, kind string, got map[string]int, want int) {
	t.Helper()
	for of, n := range got {
		if n != 1 {
			t.Errorf("%d %s for %q", n, kind, of)
		}
	}
	if len(got) != want {
		t.Errorf("%d of %d have %s", len(got), want, kind)
	}
}

func wantCalls(t *testing.T, w *world, most int) {
	t.Helper()
	n := map[string]int{}
	for _, subject := range w.vendor.called() {
		n[subject]++
	}
	for subject, calls := range n {
		if calls > most {
			t.Errorf("%d calls for %s", calls, subject)
		}
	}
}

// wantCallsByNow checks how many calls there were so far.
func wantCallsByNow(t *testing.T, w *world, n int) {
	t.Helper()
	if got := len(w.vendor.called()); got != n {
		t.Errorf("%d calls, want %d", got, n)
	}
}
