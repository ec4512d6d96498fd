package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

func laneFault() error {
	return &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.LaneFault, Status: 403}
}

// wantKept wants no result and no dead letter, and the lane paused.
func wantKept(t *testing.T, w *world) {
	t.Helper()
	if results, dead := len(w.results()), len(w.topics.written("dead")); results != 0 || dead != 0 {
		t.Fatalf("%d results, %d dead letters", results, dead)
	}
	if w.lines[event.Argos].lane.Fault() == nil {
		t.Fatal("the lane is not paused")
	}
}

// Where the free check goes well and no paid call does, as without credit, requests
// that come one by one are kept like those that come together.
func TestRequestsThatComeOneByOneAreKeptWhileNoCallGoesWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, laneFault() }
		const requests = 5
		for i := range requests {
			id := fmt.Sprint("r-", i)
			w.send(0, id, id)
			settle(time.Hour)
			wantKept(t, w)
		}
		w.vendor.set(func() { w.vendor.answer = nil })
		settle(time.Minute)
		if n := len(w.results()); n != requests || w.next(0) != requests {
			t.Errorf("%d results after it was mended, next is %d", n, w.next(0))
		}
		w.shut()
	})
}

// A request that alone is answered like that holds the lane while it is the only one:
// nobody can tell that from a lane at fault. Others are answered all the same when they
// come, and it may be taken back.
func TestLastRequestThatMeetsALaneFaultIsKeptAndHoldsUpNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(c vendors.Call, _ int) (vendors.Verdict, error) {
			if c.SubmissionID == "odd" {
				return vendors.Verdict{}, laneFault()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		w.send(0, "r-odd", "odd")
		settle(time.Hour)
		wantKept(t, w)
		if n := len(w.vendor.called()); n > 4*60+5 {
			t.Errorf("%d calls in an hour", n)
		}
		w.send(0, "r-other", "other")
		settle(35 * time.Second)
		wantOutcome(t, w, event.Approved)
		w.topics.give(withdrawalOf("r-odd"))
		settle(35 * time.Second)
		if rs := w.results(); len(rs) != 2 || rs[1].RequestID != "r-odd" || rs[1].Outcome != event.Withdrawn || w.next(0) != 2 {
			t.Errorf("results %+v, next is %d", rs, w.next(0))
		}
		w.shut()
	})
}
