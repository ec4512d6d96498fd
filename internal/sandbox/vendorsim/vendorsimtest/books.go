// Package vendorsimtest holds what the tests of the simulated identity vendors have in
// common.
package vendorsimtest

import (
	"sync"
	"testing"
	"time"
)

// GatewayWaitsForNoBooks checks that the gateway counts a call when it comes, whatever
// the ledger is busy with: two calls are made at a simulator that allows one a second,
// while its books are held. call makes one of them, 0 or 1, and returns its status:
// refused of the one beyond the limit, which waits for nobody, and answered of the
// other.
func GatewayWaitsForNoBooks(t *testing.T, books sync.Locker, refused, answered int, call func(n int) int) {
	t.Helper()
	books.Lock()
	answers := make(chan int, 2)
	for n := range cap(answers) {
		go func() { answers <- call(n) }()
	}
	select {
	case status := <-answers:
		if status != refused {
			t.Errorf("status %d, want that of the second call", status)
		}
	case <-time.After(10 * time.Second):
		t.Error("the second call waits")
	}
	books.Unlock()
	if status := <-answers; status != answered {
		t.Errorf("status %d of the first call", status)
	}
}
