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
		for _, c := range []struct{ n, attempts int }{{1, 8}, {60, 8}, {1, 2}, {60, 2}} {
			n := c.n
			t.Run(fmt.Sprint(name, " ", n, " of ", c.attempts, " attempts"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := setup(t, func(cfg *Config, _ *vendors.LaneConfig) { cfg.Retry.MaxAttempts = c.attempts })
					store := &breakable{fault: fault, out: whole}
					w.selfie = store.fetch
					for i := range n {
						w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
					}
					settle(20 * time.Minute)
					if len(w.results()) != 0 || len(w.topics.written("dead")) != 0 {
						t.Errorf("%d results and %d dead letters while the store was out", len(w.results()), len(w.topics.written("dead")))
					}
					if w.StoreFault() == nil || store.asked() > 200 {
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

func TestBucketAtFaultKeepsItsRequestsAndHoldsUpNoOther(t *testing.T) {
	for name, fault := range map[string]*storage.Error{
		"access denied":  {Kind: storage.Fault, Code: accessDenied, Status: 403},
		"bucket missing": {Kind: storage.Fault, Code: "NoSuchBucket", Status: 404},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := setup(t, func(c *Config, _ *vendors.LaneConfig) {
					c.Rules.Buckets = []string{"selfies", "others"}
				})
				store := &breakable{fault: fault, out: func(ref storage.Ref) bool { return ref.Bucket == "others" }}
				w.selfie = store.fetch
				sent := 0
				send := func(bucket string) {
					w.send(sent%3, fmt.Sprint("r-", sent), fmt.Sprint("sub-", sent), func(r *event.Request) { r.SelfieBucket = bucket })
					sent++
				}
				for range 50 {
					send("others")
					send("")
					settle(100 * time.Millisecond)
				}
				settle(time.Second)
				wantAllApproved(t, w, 50)
				settle(10 * time.Minute)
				wantAllApproved(t, w, 50)
				if n := len(w.topics.written("dead")); n != 0 || w.StoreFault() == nil {
					t.Errorf("%d dead letters while a bucket was at fault, store fault %v", n, w.StoreFault())
				}
				if n := store.asked(); n > 400 {
					t.Errorf("%d fetches", n)
				}
				store.mend()
				settle(time.Minute)
				wantAllApproved(t, w, 100)
				if err := w.StoreFault(); err != nil {
					t.Error(err)
				}
				w.shut()
			})
		})
	}
}

func TestWhatNeedsNoSelfieGoesOnWhileTheStoreIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		mend := a.topics.breakTopic("results")
		a.send(0, "r-answered", "sub-answered")
		<-a.ended
		mend()
		store := &breakable{fault: &storage.Error{Kind: storage.Transient, Err: errors.New("connection refused")}, out: whole}
		b.selfie = store.fetch
		for i := range 250 {
			b.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), func(r *event.Request) { r.NotAfter = time.Now().Add(2 * time.Minute) })
		}
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Minute)
		if got := b.results(); len(got) != 1 || got[0].RequestID != "r-answered" {
			t.Errorf("%d results of one that was answered before", len(got))
		}
		settle(2 * time.Minute)
		if got := b.results(); len(got) != 251 || got[250].Outcome != event.Expired {
			t.Errorf("%d results after not_after", len(got))
		}
		b.shut()
	})
}

func TestBriefOutageOfTheStoreCostsLittleMoreThanItLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) { c.MaxOpen, l.Windows = 1000, perSecond(50) })
		store := &breakable{fault: &storage.Error{Kind: storage.Transient, Err: errors.New("connection reset")}, out: whole}
		w.selfie = store.fetch
		for i := range 2000 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(1500 * time.Millisecond)
		store.mend()
		settle(10 * time.Second)
		if n := len(w.vendor.called()); n < 400 {
			t.Errorf("%d calls at 50/s in the 10 s after an outage of 1.5", n)
		}
		w.shut()
	})
}
