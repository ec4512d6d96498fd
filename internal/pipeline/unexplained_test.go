package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// unexplained is what a broken gateway before the vendor makes of a call.
func unexplained(op string) *vendors.Error {
	return &vendors.Error{Vendor: event.Argos, Op: op, Kind: vendors.Unexplained, Status: 410}
}

// The free check goes another way here, and finds nothing.
func TestABrokenGatewayDoesNotEmptyTheTopicIntoTheDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		mended := time.Now().Add(6 * time.Hour)
		w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) {
			if time.Now().Before(mended) {
				return vendors.Verdict{}, unexplained("authenticate")
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		for i := range 200 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(6*time.Hour + 10*time.Minute)
		wantOncePerRequest(t, w, 200)
		for _, r := range w.results() {
			if r.Outcome != event.Approved {
				t.Fatalf("result %+v", r)
			}
		}
		if n := len(w.topics.written("dead")); n != 0 {
			t.Errorf("%d dead letters", n)
		}
		w.shut()
	})
}

// One that is odd by itself, as to a firewall, ends as others do, and holds up nobody.
func TestAnUnexplainedAnswerToOneRequestEndsThatRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(c vendors.Call, _ int) (vendors.Verdict, error) {
			if c.RequestID == "odd" {
				return vendors.Verdict{}, unexplained("authenticate")
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		w.send(0, "odd", "sub-odd")
		settle(10 * time.Minute)
		w.send(0, "r-1", "sub-1")
		settle(time.Second)
		got := map[string]event.Outcome{}
		for _, r := range w.results() {
			got[r.RequestID] = r.Outcome
		}
		if got["odd"] != event.Failed || got["r-1"] != event.Approved {
			t.Errorf("outcomes %v", got)
		}
		w.shut()
	})
}

// A list that is answered so is not an attempt: whoever is in doubt stays so.
func TestUnexplainedAnswerToAQuestionIsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{deaf: unexplained("find")}
		v.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, lost() }
		w := join(t, newFakeTopics(), findingVendor{v}, nil)
		w.assign([]int{0}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(3 * time.Hour)
		if got := w.results(); len(got) != 0 {
			t.Errorf("results %+v while the vendor cannot be asked", got)
		}
		wantCalls(t, w, 1)
		w.shut()
	})
}
