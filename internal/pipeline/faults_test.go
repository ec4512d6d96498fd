package pipeline

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

func TestTransientFailureIsRepeatedWithBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth < 3 {
				return vendors.Verdict{}, transient()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		got := w.results()
		if len(got) != 1 || got[0].Outcome != event.Approved || got[0].Calls != 3 || got[0].Attempts != 3 {
			t.Errorf("results %+v", got)
		}
		w.shut()
	})
}

func transient() error {
	return &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.Transient, Status: 502}
}

// lost is the error of a call whose answer never came.
func lost() error {
	return &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.Transient, Unknown: true}
}

func TestGivenUpRequestIsAFailedResultAndADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, transient() }
		w.send(2, "r-1", "sub-1")
		settle(10 * time.Minute)
		got := w.results()
		if len(got) != 1 || got[0].Outcome != event.Failed || got[0].Calls != 3 ||
			!cmp.Equal(got[0].Reasons, []event.Reason{event.AttemptsExhausted}) {
			t.Fatalf("results %+v", got)
		}
		dead := w.topics.written("dead")
		if len(dead) != 1 {
			t.Fatalf("%d dead letters", len(dead))
		}
		letter, origin, original, err := event.ParseDeadLetter(dead[0])
		if err != nil || origin.Topic != "requests" || origin.Partition != 2 || letter.Reason != event.AttemptsExhausted || letter.RequestID != "r-1" {
			t.Errorf("dead letter %+v from %+v (%v)", letter, origin, err)
		}
		if sent := w.topics.logs["requests/2"][0]; !bytes.Equal(original.Value, sent.Value) {
			t.Errorf("the original was changed to %s", original.Value)
		}
		if n := w.next(2); n != 1 {
			t.Errorf("next is %d", n)
		}
		w.shut()
	})
}

func TestRefusalByTheVendorIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) {
			return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused, Code: "invalid_data_format"}
		}
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		if got := w.results(); len(got) != 1 || got[0].Outcome != event.Failed || got[0].Calls != 1 ||
			!cmp.Equal(got[0].VendorCodes, []string{"invalid_data_format"}) {
			t.Errorf("results %+v", got)
		}
		w.shut()
	})
}

func TestUnusableSelfieCostsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.selfie = func(storage.Ref) error { return &storage.Error{Kind: storage.Unusable, Reason: event.SelfieNotFound} }
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		got := w.results()
		if len(got) != 1 || got[0].Outcome != event.Unusable || got[0].Calls != 0 || !cmp.Equal(got[0].Reasons, []event.Reason{event.SelfieNotFound}) {
			t.Errorf("results %+v", got)
		}
		w.shut()
	})
}

func TestStoreFaultKeepsEveryRequest(t *testing.T) {
	faults := map[string]*storage.Error{
		"bucket missing": {Kind: storage.Fault, Code: "NoSuchBucket", Status: 404},
		"access denied":  {Kind: storage.Fault, Code: accessDenied, Status: 403},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := setup(t, nil)
				var mu sync.Mutex
				down, fetches := true, 0
				w.selfie = func(storage.Ref) error {
					mu.Lock()
					defer mu.Unlock()
					fetches++
					if down {
						return fault
					}
					return nil
				}
				for i := range 50 {
					w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				settle(10 * time.Minute)
				if len(w.results()) != 0 || len(w.topics.written("dead")) != 0 {
					t.Errorf("%d results and %d dead letters while the store was at fault", len(w.results()), len(w.topics.written("dead")))
				}
				if w.StoreFault() == nil || fetches > 150 {
					t.Errorf("fault %v after %d fetches", w.StoreFault(), fetches)
				}
				mu.Lock()
				down = false
				mu.Unlock()
				settle(time.Minute)
				if n := len(w.results()); n != 50 {
					t.Errorf("%d results after the store's return, want 50", n)
				}
				w.shut()
			})
		})
	}
}

func TestForbiddenSelfieAmongGoodOnesIsGivenUpAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.selfie = func(ref storage.Ref) error {
			if ref.Key == "selfies/r-7.jpg" {
				return &storage.Error{Kind: storage.Fault, Code: accessDenied, Status: 403}
			}
			return nil
		}
		for i := range 50 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(10 * time.Minute)
		failed := 0
		for _, r := range w.results() {
			if r.Outcome == event.Failed {
				failed++
				if r.RequestID != "r-7" || !cmp.Equal(r.Reasons, []event.Reason{event.SelfieForbidden}) {
					t.Errorf("failed: %+v", r)
				}
			}
		}
		if len(w.results()) != 50 || failed != 1 || w.StoreFault() != nil {
			t.Errorf("%d results, %d failed, store fault %v", len(w.results()), failed, w.StoreFault())
		}
		w.shut()
	})
}

func TestLaneFaultKeepsEveryRequestAndResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		wrong := &vendors.Error{Vendor: event.Argos, Kind: vendors.LaneFault, Status: 403, Code: "forbidden_key"}
		w.vendor.set(func() {
			w.vendor.check = wrong
			w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, wrong }
		})
		for i := range 60 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(10 * time.Minute)
		if n := len(w.results()) + len(w.topics.written("dead")); n != 0 {
			t.Errorf("%d requests were ended by a wrong key", n)
		}
		w.vendor.set(func() { w.vendor.check, w.vendor.answer = nil, nil })
		settle(time.Minute)
		for _, r := range w.results() {
			if r.Outcome != event.Approved || r.Attempts != 1 {
				t.Fatalf("result %+v", r)
			}
		}
		if n := len(w.results()); n != 60 {
			t.Errorf("%d results after the key was mended, want 60", n)
		}
		w.shut()
	})
}

func TestRequestThatAloneMeetsALaneFaultIsGivenUpAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(c vendors.Call, _ int) (vendors.Verdict, error) {
			if c.RequestID == "r-7" {
				return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.LaneFault, Status: 403, Code: "forbidden"}
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		for i := range 600 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
			time.Sleep(100 * time.Millisecond)
		}
		settle(time.Minute)
		for _, r := range w.results() {
			if failed := r.Outcome == event.Failed; failed != (r.RequestID == "r-7") {
				t.Errorf("result %+v", r)
			} else if failed && (r.Attempts != 3 || !cmp.Equal(r.Reasons, []event.Reason{event.AttemptsExhausted})) {
				t.Errorf("given up: %+v", r)
			}
		}
		if results, dead := len(w.results()), len(w.topics.written("dead")); results != 600 || dead != 1 {
			t.Errorf("%d results and %d dead letters, want 600 and 1", results, dead)
		}
		w.shut()
	})
}

func TestPanicOverAnAnswerEndsNoOtherCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), findingVendor{&fakeVendor{delay: 300 * time.Millisecond}}, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		w.vendor.answer = func(c vendors.Call, _ int) (vendors.Verdict, error) {
			if c.RequestID == "r-7" {
				panic("over " + c.SubmissionID)
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		for i := range 60 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(5 * time.Minute)
		for _, r := range w.results() {
			if r.Outcome != event.Approved || r.Calls != 1 {
				t.Errorf("result %+v", r)
			}
		}
		if n := len(w.results()); n != 60 {
			t.Errorf("%d results, want 60: the vendor can be asked for the verdict of the one", n)
		}
		w.shut()
	})
}

func TestBackOffIsBoundedAndSpread(t *testing.T) {
	c := RetryConfig{MaxAttempts: 8, Initial: time.Second, Max: 10 * time.Minute}
	for n := 1; n < 100; n++ {
		most := min(c.Max, c.Initial<<min(n-1, 20))
		var sum time.Duration
		for range 200 {
			d := c.backoff(n)
			if d <= 0 || d > most+1 {
				t.Fatalf("attempt %d: %v, most %v", n, d, most)
			}
			sum += d
		}
		if mean := sum / 200; mean < most/4 || mean > most*3/4 {
			t.Errorf("attempt %d: mean %v of at most %v: no full jitter", n, mean, most)
		}
	}
}
