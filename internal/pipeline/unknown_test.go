package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

func TestUnknownOutcome(t *testing.T) {
	answer := func(_ vendors.Call, nth int) (vendors.Verdict, error) {
		if nth == 1 {
			return vendors.Verdict{}, lost()
		}
		return vendors.Verdict{Outcome: event.Rejected, Reasons: []event.Reason{event.FaceOccluded}}, nil
	}
	t.Run("found at the vendor", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := join(t, newFakeTopics(), findingVendor{&fakeVendor{answer: answer}}, nil)
			w.assign([]int{0}, nil, nil)
			w.send(0, "r-1", "sub-1")
			settle(10 * time.Minute)
			wantOncePerRequest(t, w, 1)
			if r := w.results()[0]; len(w.vendor.called()) != 1 || r.Outcome != event.Approved || r.Calls != 1 {
				t.Errorf("%d calls, result %+v", len(w.vendor.called()), r)
			}
			w.shut()
		})
	})
	t.Run("not at the vendor", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v := &fakeVendor{}
			v.answer = func(c vendors.Call, nth int) (vendors.Verdict, error) {
				if nth == 1 {
					v.set(func() { v.kept = nil })
				}
				return answer(c, nth)
			}
			w := join(t, newFakeTopics(), findingVendor{v}, nil)
			w.assign([]int{0}, nil, nil)
			w.send(0, "r-1", "sub-1")
			settle(10 * time.Minute)
			wantOncePerRequest(t, w, 1)
			if r := w.results()[0]; len(w.vendor.called()) != 2 || r.Outcome != event.Rejected || testutil.ToFloat64(w.metrics.possibleDouble) != 0 {
				t.Errorf("%d calls, result %+v", len(w.vendor.called()), r)
			}
			if gap := w.vendor.times[1].Sub(w.vendor.times[0]); gap < 30*time.Second {
				t.Errorf("repeated %v after the call, which may still have been under way", gap)
			}
			w.shut()
		})
	})
	t.Run("another request's authentication is not ours", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v := &fakeVendor{}
			v.answer = func(c vendors.Call, nth int) (vendors.Verdict, error) {
				if nth == 2 { // the second request's first call is lost before the vendor
					v.set(func() { v.kept["sub-1"] = v.kept["sub-1"][:1] })
					return vendors.Verdict{}, lost()
				}
				return vendors.Verdict{Outcome: event.Approved, Reference: "auth-sub-1"}, nil
			}
			w := join(t, newFakeTopics(), findingVendor{v}, nil)
			w.assign([]int{0}, nil, nil)
			w.send(0, "r-1", "sub-1")
			w.send(0, "r-2", "sub-1")
			settle(10 * time.Minute)
			wantOncePerRequest(t, w, 2)
			if n := len(w.vendor.called()); n != 3 {
				t.Errorf("%d calls, want that the lost one is repeated", n)
			}
			w.shut()
		})
	})
	t.Run("vendor cannot be asked, repeat", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := join(t, newFakeTopics(), &fakeVendor{answer: answer}, nil)
			w.assign([]int{0}, nil, nil)
			w.send(0, "r-1", "sub-1")
			settle(10 * time.Minute)
			wantOncePerRequest(t, w, 1)
			if n := testutil.ToFloat64(w.metrics.possibleDouble); len(w.vendor.called()) != 2 || n != 1 {
				t.Errorf("%d calls, %v possible double charges", len(w.vendor.called()), n)
			}
			w.shut()
		})
	})
	t.Run("vendor cannot be asked, hold", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := join(t, newFakeTopics(), &fakeVendor{answer: answer}, func(c *Config, _ *vendors.LaneConfig) { c.HoldUnknown = true })
			w.assign([]int{0}, nil, nil)
			w.send(0, "r-1", "sub-1")
			settle(10 * time.Minute)
			wantOncePerRequest(t, w, 1)
			if r := w.results()[0]; len(w.vendor.called()) != 1 || r.Outcome != event.Failed || !cmp.Equal(r.Reasons, []event.Reason{event.UnknownOutcome}) {
				t.Errorf("%d calls, result %+v", len(w.vendor.called()), r)
			}
			if n := len(w.topics.written("dead")); n != 1 {
				t.Errorf("%d dead letters", n)
			}
			w.shut()
		})
	})
}

func TestUnknownOutcomesAreNotRepeatedForEver(t *testing.T) {
	for name, vendor := range map[string]func(*fakeVendor) vendors.Adapter{
		"vendor can be asked":    func(v *fakeVendor) vendors.Adapter { return findingVendor{v} },
		"vendor cannot be asked": func(v *fakeVendor) vendors.Adapter { return v },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &fakeVendor{}
				v.answer = func(vendors.Call, int) (vendors.Verdict, error) {
					v.set(func() { v.kept = nil })
					return vendors.Verdict{}, lost()
				}
				w := join(t, newFakeTopics(), vendor(v), nil)
				w.assign([]int{0}, nil, nil)
				w.send(0, "r-1", "sub-1")
				settle(time.Hour)
				wantOncePerRequest(t, w, 1)
				if letter, _, _, err := event.ParseDeadLetter(w.topics.written("dead")[0]); err != nil || letter.Class != "unknown_outcome" {
					t.Errorf("dead letter %+v (%v)", letter, err)
				}
				if r := w.results()[0]; r.Outcome != event.Failed || r.Calls != 3 || !cmp.Equal(r.Reasons, []event.Reason{event.AttemptsExhausted}) {
					t.Errorf("result %+v", r)
				}
				w.shut()
			})
		})
	}
}

func TestManyUnknownOutcomesAreAskedAboutTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{listing: 2 * time.Second}
		v.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, lost() }
		w := join(t, newFakeTopics(), findingVendor{v}, func(c *Config, l *vendors.LaneConfig) { l.Breaker.Ratio = 1.1 })
		w.assign([]int{0, 1, 2}, nil, nil)
		for i := range 60 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(10 * time.Minute)
		wantOncePerRequest(t, w, 60)
		wantCalls(t, w, 1)
		if v.asked > 15 {
			t.Errorf("the vendor was asked %d times about 60 calls", v.asked)
		}
		w.shut()
	})
}

// TestDoubtOutlivesAnOutage: asking a vendor that is out uses up no attempt. With
// those in doubt when it began, an outage of hours would end as hundreds of failures.
func TestDoubtOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{deaf: transient(), check: transient()}
		v.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, lost() }
		w := join(t, newFakeTopics(), findingVendor{v}, func(c *Config, l *vendors.LaneConfig) {
			c.Retry.Max = 10 * time.Second
			l.Breaker = vendors.BreakerConfig{Ratio: .5, MinCalls: 20, Window: 30 * time.Second, Open: 2 * time.Second, Probes: 1}
		})
		w.assign([]int{0, 1, 2}, nil, nil)
		for i := range 200 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(3 * time.Hour)
		writes := len(w.topics.written("ledger"))
		settle(time.Hour)
		if n := len(w.results()); n != 0 {
			t.Errorf("%d results while the vendor is out", n)
		}
		if n := len(w.topics.written("ledger")) - writes; n > 200 {
			t.Errorf("%d records in the ledger in an hour in which nothing was learnt", n)
		}
		v.set(func() {
			v.deaf, v.check = nil, nil
			v.answer = nil
		})
		settle(10 * time.Minute)
		wantOncePerRequest(t, w, 200)
		wantCalls(t, w, 1)
		for _, r := range w.results() {
			if r.Outcome != event.Approved {
				t.Fatalf("result %+v", r)
			}
		}
		w.shut()
	})
}

// TestVendorThatNeverTellsIsGivenUp: its list can be had and does not say.
func TestVendorThatNeverTellsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{deaf: &vendors.Error{Vendor: event.Argos, Op: "find", Kind: vendors.Transient, Code: "find_incomplete"}}
		v.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, lost() }
		w := join(t, newFakeTopics(), findingVendor{v}, nil)
		w.assign([]int{0}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(3 * time.Hour)
		wantOncePerRequest(t, w, 1)
		wantCalls(t, w, 1)
		if r := w.results()[0]; r.Outcome != event.Failed {
			t.Errorf("result %+v", r)
		}
		w.shut()
	})
}

func TestUnknownOutcomeStaysUnknownUntilTheVendorHasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{refusal: transient()}
		v.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, lost() }
		w := join(t, newFakeTopics(), findingVendor{v}, nil)
		w.assign([]int{0}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(10 * time.Minute)
		wantOncePerRequest(t, w, 1)
		wantCalls(t, w, 1)
		w.shut()
	})
}
