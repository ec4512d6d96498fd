package pipeline

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// breakable has the store fail with fault while out says so, and counts its fetches.
type breakable struct {
	fault error
	out   func(storage.Ref) bool

	mu      sync.Mutex
	mended  bool
	fetches int
}

func (b *breakable) fetch(ref storage.Ref) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fetches++
	if !b.mended && b.out(ref) {
		return b.fault
	}
	return nil
}

func (b *breakable) mend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mended = true
}

func (b *breakable) asked() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fetches
}

// whole is every object.
func whole(storage.Ref) bool { return true }

// wantAllApproved wants so many results, all of them approved.
func wantAllApproved(t *testing.T, w *world, n int) {
	t.Helper()
	got := w.results()
	for _, r := range got {
		if r.Outcome != event.Approved {
			t.Errorf("result %+v", r)
			break
		}
	}
	if len(got) != n {
		t.Errorf("%d results, want %d", len(got), n)
	}
}

func TestOutageOfTheStoreKeepsEveryRequest(t *testing.T) {
	for name, fault := range map[string]*storage.Error{
		"out of reach": {Kind: storage.Transient, Err: errors.New("connection refused")},
		"slow down":    {Kind: storage.Throttled, Code: "SlowDown", Status: 503},
	} {
		for _, n := range []int{1, 60} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := setup(t, func(c *Config, _ *vendors.LaneConfig) { c.Retry.MaxAttempts = 8 })
					store := &breakable{fault: fault, out: whole}
					w.selfie = store.fetch
					for i := range n {
						w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
					}
					settle(time.Hour)
					if len(w.results()) != 0 || len(w.topics.written("dead")) != 0 {
						t.Errorf("%d results and %d dead letters while the store was out", len(w.results()), len(w.topics.written("dead")))
					}
					if w.StoreFault() == nil || store.asked() > 400 {
						t.Errorf("fault %v after %d fetches", w.StoreFault(), store.asked())
					}
					store.mend()
					settle(5 * time.Minute)
					wantAllApproved(t, w, n)
					w.shut()
				})
			})
		}
	}
}

func TestSelfieThatBreaksOffAmongGoodOnesIsGivenUpAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.selfie = func(ref storage.Ref) error {
			if ref.Key == "selfies/r-7.jpg" {
				return &storage.Error{Kind: storage.Transient, Err: errors.New("answer broke off")}
			}
			return nil
		}
		for i := range 50 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(10 * time.Minute)
		failed := 0
		for _, r := range w.results() {
			if r.Outcome == event.Failed && r.RequestID == "r-7" {
				failed++
			}
		}
		if len(w.results()) != 50 || failed != 1 || len(w.topics.written("dead")) != 1 || w.StoreFault() != nil {
			t.Errorf("%d results, r-7 failed %d times, store fault %v", len(w.results()), failed, w.StoreFault())
		}
		w.shut()
	})
}
