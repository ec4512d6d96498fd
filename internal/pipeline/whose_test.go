package pipeline

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

// numbered has the vendor keep the verdicts of its calls under numbers: the first is
// approved, the others are rejected.
func numbered(v *fakeVendor, c vendors.Call, nth int) vendors.Verdict {
	verdict := vendors.Verdict{Outcome: event.Approved, Reference: fmt.Sprint("auth-", nth), Liveness: event.LivenessNone, At: time.Now()}
	if nth > 1 {
		verdict.Outcome, verdict.Reasons = event.Rejected, []event.Reason{event.FaceOccluded}
	}
	v.set(func() {
		kept := v.kept[c.SubmissionID]
		kept[len(kept)-1] = verdict
	})
	return verdict
}

// references returns the vendor's references of the results, by request.
func references(w *world) map[string]string {
	all := map[string]string{}
	for _, r := range w.results() {
		all[r.RequestID] = r.VendorReference
	}
	return all
}

// Two requests of one person may be in doubt at once: each has the verdict on its own
// selfie.
func TestEachCallInDoubtHasItsOwnVerdict(t *testing.T) {
	for _, apart := range []time.Duration{20 * time.Second, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			v := &fakeVendor{}
			v.answer = func(c vendors.Call, nth int) (vendors.Verdict, error) {
				numbered(v, c, nth)
				return vendors.Verdict{}, lost()
			}
			w := join(t, newFakeTopics(), findingVendor{v}, nil)
			w.assign([]int{0, 1, 2}, nil, nil)
			w.send(0, "r-1", "sub-1")
			settle(apart)
			w.send(1, "r-2", "sub-1")
			settle(10 * time.Minute)
			wantOncePerRequest(t, w, 2)
			wantCalls(t, w, 2)
			if got := references(w); got["r-1"] != "auth-1" || got["r-2"] != "auth-2" {
				t.Errorf("called %v apart: %v", apart, got)
			}
			w.shut()
		})
	}
}

// A verdict that is on its way to the ledger is somebody's.
func TestVerdictThatIsBeingWrittenIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{}
		v.answer = func(c vendors.Call, nth int) (vendors.Verdict, error) {
			if nth == 1 { // it never came to the vendor
				v.set(func() { v.kept = map[string][]vendors.Verdict{} })
				return vendors.Verdict{}, lost()
			}
			return numbered(v, c, nth), nil
		}
		w := join(t, newFakeTopics(), findingVendor{v}, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(time.Second)
		slow := make(chan struct{})
		w.topics.mu.Lock()
		w.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "ledger" && recs[0].Partition == 1 && isAnswer(recs[0]) {
				<-slow
			}
			return nil
		}
		w.topics.mu.Unlock()
		w.send(1, "r-2", "sub-1")
		settle(10 * time.Minute)
		close(slow)
		settle(10 * time.Minute)
		wantOncePerRequest(t, w, 2)
		if got := references(w); got["r-1"] != "auth-3" || got["r-2"] != "auth-2" {
			t.Errorf("%v, want that the call that was lost is repeated", got)
		}
		w.shut()
	})
}

// What the vendor did long after a call is not what came of it.
func TestVerdictOfMuchLaterIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{deaf: transient()}
		v.answer = func(c vendors.Call, nth int) (vendors.Verdict, error) {
			if nth == 1 {
				v.set(func() { v.kept = map[string][]vendors.Verdict{} })
				return vendors.Verdict{}, lost()
			}
			return numbered(v, c, nth), nil
		}
		w := join(t, newFakeTopics(), findingVendor{v}, nil)
		w.assign([]int{0}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(time.Hour) // for which the vendor is out
		v.set(func() {    // another replica's call for the person
			v.kept["sub-1"] = append(v.kept["sub-1"], vendors.Verdict{Outcome: event.Approved, Reference: "auth-theirs", At: time.Now()})
			v.deaf = nil
		})
		settle(10 * time.Minute)
		wantOncePerRequest(t, w, 1)
		if got := references(w); got["r-1"] != "auth-2" {
			t.Errorf("%v, want that the call that was lost is repeated", got)
		}
		w.shut()
	})
}

func isAnswer(rec event.Record) bool {
	r, err := ledger.Decode(rec.Value)
	return err == nil && r.Step == ledger.Answered
}

// Whoever could not write the verdict that was found finds it again.
func TestOwnVerdictIsFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{}
		v.answer = func(c vendors.Call, nth int) (vendors.Verdict, error) {
			numbered(v, c, nth)
			return vendors.Verdict{}, lost()
		}
		w := join(t, newFakeTopics(), findingVendor{v}, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		synctest.Wait()
		left := make(chan struct{})
		w.topics.mu.Lock()
		w.topics.write = func(recs []event.Record) error {
			if !isAnswer(recs[0]) {
				return nil
			}
			select {
			case <-left:
				return nil
			default:
			}
			close(left)
			return w.loseLease(recs, false)
		}
		w.topics.mu.Unlock()
		w.send(0, "r-1", "sub-1")
		<-left
		w.assign(nil, nil, []int{0, 1, 2})
		settle(5 * time.Minute)
		w.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Minute)
		wantOncePerRequest(t, w, 1)
		wantCalls(t, w, 1)
		w.shut()
	})
}

func TestLikeliestVerdictsOfACall(t *testing.T) {
	called := time.Now()
	var found []vendors.Verdict
	for _, after := range []time.Duration{-5 * time.Second, -time.Second, -50 * time.Millisecond, time.Second, time.Minute, time.Hour} {
		found = append(found, vendors.Verdict{At: called.Add(after)})
	}
	var got []time.Duration
	for _, v := range likeliest(found, called) {
		got = append(got, v.At.Sub(called))
	}
	want := []time.Duration{-50 * time.Millisecond, time.Second, time.Minute, -time.Second, -5 * time.Second}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A vendor may still be at a call, or come to list it, when our time for it is up.
func TestLateVerdictIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{}
		v.answer = func(c vendors.Call, nth int) (vendors.Verdict, error) {
			var kept []vendors.Verdict
			v.set(func() { kept, v.kept = v.kept[c.SubmissionID], map[string][]vendors.Verdict{} })
			time.AfterFunc(45*time.Second, func() {
				v.set(func() { v.kept[c.SubmissionID] = append(v.kept[c.SubmissionID], kept...) })
			})
			return vendors.Verdict{}, lost()
		}
		w := join(t, newFakeTopics(), findingVendor{v}, nil)
		w.assign([]int{0}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(10 * time.Minute)
		wantOncePerRequest(t, w, 1)
		wantCalls(t, w, 1)
		w.shut()
	})
}
