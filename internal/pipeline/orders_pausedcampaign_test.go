package pipeline

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

func TestPausedCampaignHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, _ *vendors.LaneConfig) { c.MaxOpen = 5 })
		var fetched atomic.Int64
		w.selfie = func(storage.Ref) error { fetched.Add(1); return nil }
		w.topics.give(orderOf(ledger.Pause, "stopped", 0))
		settle(time.Second)
		for i := range 60 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp("stopped"))
		}
		for i := range 30 {
			w.send(i%3, fmt.Sprint("s-", i), fmt.Sprint("tub-", i), ofCamp("goes"))
		}
		settle(5 * time.Second)
		wantOncePerRequest(t, w, 30)
		wantCallsByNow(t, w, 30)
		for shard := range 3 {
			if n := w.next(shard); n != 30 {
				t.Errorf("next of shard %d is %d: an offset is held", shard, n)
			}
		}
		settle(3 * time.Hour)
		wantCallsByNow(t, w, 30)
		if n := fetched.Load(); n != 30 {
			t.Errorf("%d selfies fetched for 30 calls", n)
		}
		w.topics.give(orderOf(ledger.Resume, "stopped", 0))
		settle(2 * time.Second)
		wantOncePerRequest(t, w, 90)
		for _, r := range w.results() {
			if r.Attempts != 1 || r.Calls != 1 {
				t.Errorf("%s took %d attempts and %d calls", r.RequestID, r.Attempts, r.Calls)
			}
		}
		w.shut()
	})
}

func TestCampaignStopsInTheMiddleAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.Windows = perSecond(20) })
		for i := range 100 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp("c"))
		}
		settle(2 * time.Second)
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		settle(50 * time.Millisecond)
		called := len(w.vendor.called())
		settle(time.Hour + time.Minute) // they are looked at again once
		wantCallsByNow(t, w, called)
		claims := 0
		for _, rec := range w.topics.written("ledger") {
			if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Claimed {
				claims++
			}
		}
		if claims > called+1 {
			t.Errorf("%d calls were claimed and %d made", claims, called)
		}
		if n := parkedAs(w, whyPaused); n != 100-called {
			t.Errorf("%d records of parkings for %d requests: what waits is written once", n, 100-called)
		}
		w.topics.give(orderOf(ledger.Resume, "c", 0))
		settle(time.Second)
		if n := len(w.vendor.called()) - called; n < 15 {
			t.Errorf("%d calls in the second after the pause, at 20/s", n)
		}
		settle(time.Minute)
		wantOncePerRequest(t, w, 100)
		w.shut()
	})
}

// parkedAs counts the records of parkings for a reason.
func parkedAs(w *world, why string) (n int) {
	for _, rec := range w.topics.written("ledger") {
		if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Parked && r.Why == why {
			n++
		}
	}
	return n
}

func TestPausedCampaignSurvivesItsOwners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), findingVendor{&fakeVendor{}}
		w := join(t, topics, v, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		for i := range 30 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp("c"))
		}
		settle(time.Minute)
		for range 3 {
			w.commit()
			w.kill()
			settle(time.Hour) // so that no signal is read back
			w = join(t, topics, v, nil)
			w.assign([]int{0, 1, 2}, nil, nil)
			settle(90 * time.Minute)
			wantCallsByNow(t, w, 0)
		}
		w.topics.give(orderOf(ledger.Resume, "c", 0))
		settle(2 * time.Second)
		wantOncePerRequest(t, w, 30)
		if n := parkedAs(w, whyPaused); n != 30 {
			t.Errorf("%d records of parkings, want 30", n)
		}
		w.shut()
	})
}

func TestCampaignResumedWhileItsOwnerWasDeadGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		a.topics.give(orderOf(ledger.Pause, "c", 0))
		a.send(0, "r-1", "sub-1", ofCamp("c"))
		settle(time.Minute)
		a.commit()
		a.kill()
		deaf(a.topics)
		b.kill()
		b.topics.give(orderOf(ledger.Resume, "c", 0))
		b = join(t, b.topics, &fakeVendor{}, nil)
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Second)
		wantOncePerRequest(t, b, 1)
		b.shut()
	})
}

func TestRetriesOfAPausedCampaignWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth == 1 {
				return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Transient}
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		w.send(0, "r-1", "sub-1", ofCamp("c"))
		settle(time.Millisecond)
		for len(w.vendor.called()) == 0 {
			settle(time.Millisecond)
		}
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		settle(time.Hour)
		wantCallsByNow(t, w, 1)
		w.topics.give(orderOf(ledger.Resume, "c", 0))
		settle(time.Second)
		if rs := w.results(); len(rs) != 1 || rs[0].Attempts != 2 {
			t.Errorf("results %+v, want one after two attempts", rs)
		}
		w.shut()
	})
}

func TestPersonsOfAPausedCampaignAreLookedAfterOnResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		w := hosted(t, v)
		w.send(0, "r-1", "sub-1", ofCamp("c"))
		settle(time.Minute)
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		v.decide("fav_sub-1_1", event.Approved)
		for range 3 {
			tell(t, w, "fav_sub-1_1", event.Approved)
			settle(time.Minute)
		}
		if n := len(v.calls); n != 2 {
			t.Errorf("%d calls, want the two of before the pause", n)
		}
		w.topics.give(orderOf(ledger.Resume, "c", 0))
		settle(time.Second)
		if rs := finalResults(t, w); len(rs) != 1 || rs[0].Outcome != event.Approved {
			t.Errorf("results %+v", rs)
		}
		w.shut()
	})
}

func TestRequestsOfAPausedCampaignExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		settle(time.Second)
		w.send(0, "r-1", "sub-1", ofCamp("c"), func(r *event.Request) { r.NotAfter = time.Now().Add(5 * time.Minute) })
		w.send(0, "r-2", "sub-2", ofCamp("c"))
		settle(5*time.Minute + time.Second)
		rs := w.results()
		if len(rs) != 1 || rs[0].RequestID != "r-1" || rs[0].Outcome != event.Expired {
			t.Errorf("results %+v, want that r-1 has expired", rs)
		}
		w.shut()
	})
}

func TestWhatIsParkedForPausesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Those that are under way when the bound is reached come on top: 16 being
		// prepared and 4 at the vendor.
		w := setup(t, func(c *Config, l *vendors.LaneConfig) {
			c.MaxOpen, c.MaxHeld, l.Windows, l.MaxInFlight = 50, 10, perSecond(20), 4
		})
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		settle(time.Second)
		for i := range 90 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp("c"))
		}
		for i := range 30 {
			w.send(i%3, fmt.Sprint("s-", i), fmt.Sprint("tub-", i), ofCamp("goes"))
		}
		settle(3 * time.Hour)
		wantOncePerRequest(t, w, 30)
		if n := w.parking.countHeld(); n < 10 || n > 10+16+4 {
			t.Errorf("%d requests are parked", n)
		}
		if n := parkedAs(w, whyPaused); n != w.parking.countHeld() {
			t.Errorf("%d parkings of %d requests", n, w.parking.countHeld())
		}
		w.topics.give(orderOf(ledger.Resume, "c", 0))
		settle(10 * time.Second)
		wantOncePerRequest(t, w, 120)
		w.shut()
	})
}

// However an order's coming and a request's being put back fall together, none
// is forgotten.
func TestPausesThatComeAndGoLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) { c.MaxHeld, l.Windows = 1, perSecond(200) })
		for i := range 300 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp(fmt.Sprint("c-", i%2)))
		}
		for i := range 300 {
			settle(time.Millisecond)
			kind := ledger.Pause
			if i%2 == 1 {
				kind = ledger.Resume
			}
			w.obey(orderOf(kind, []string{"c-0", "c-1", ""}[i/2%3], 0))
		}
		settle(10 * time.Second)
		wantOncePerRequest(t, w, 300)
		wantCalls(t, w, 1)
		w.shut()
	})
}

func TestOrderTakenBackWhileARequestIsBeingSetAsideWakesIt(t *testing.T) {
	p := newParking(func(*waiter) bool { return false })
	seen := p.released()
	p.release()
	p.hold(waiter{due: time.Now().Add(time.Hour)}, seen)
	if _, due := p.takeDue(); !due {
		t.Error("it waits for an order that has been taken back")
	}
}
