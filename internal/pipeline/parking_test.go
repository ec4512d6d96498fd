package pipeline

import (
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

func TestParkedRequestSurvivesItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth < 2 {
				return vendors.Verdict{}, transient()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}
		a, b := pair(t, v, func(c *Config, _ *vendors.LaneConfig) { c.Retry.Initial, c.Retry.Max = time.Hour, time.Hour })
		a.send(0, "r-1", "sub-1", func(r *event.Request) { r.UserID = "u-1" })
		settle(10 * time.Second)
		if n := a.next(0); n != 1 {
			t.Fatalf("next is %d: a parked request holds no offset", n)
		}
		a.commit()
		a.kill()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(2 * time.Hour)
		wantOncePerRequest(t, b, 1)
		if r := b.results()[0]; r.Outcome != event.Approved || r.Calls != 2 || r.Attempts != 2 || r.UserID != "u-1" || r.Source.Offset != 0 {
			t.Errorf("result %+v", r)
		}
		b.shut()
	})
}

func TestParkedRequestsOfALostShardAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.cfg.Retry.Initial, w.cfg.Retry.Max = 1e6*time.Hour, 1e6*time.Hour
		w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, transient() }
		w.send(0, "r-1", "sub-1")
		w.send(1, "r-2", "sub-2")
		settle(10 * time.Second)
		w.assign(nil, []int{1, 2}, []int{0})
		if n, _ := w.parking.len(); n != 1 {
			t.Errorf("%d requests are parked, want that of the shard that stayed", n)
		}
		w.shut()
	})
}

func TestParkedLongerThanTheWindowIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth < 2 {
				return vendors.Verdict{}, transient()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}
		a, b := pair(t, v, func(c *Config, _ *vendors.LaneConfig) { c.Window = time.Hour })
		a.cfg.Retry.Initial, a.cfg.Retry.Max = 1e6*time.Hour, 1e6*time.Hour
		a.send(0, "r-1", "sub-1")
		settle(5 * time.Hour)
		rewritten := 0
		for _, rec := range a.topics.logs["ledger/0"] {
			if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Parked {
				rewritten++
			}
		}
		if rewritten < 5 || rewritten > 12 {
			t.Errorf("the parked record was written %d times in five windows", rewritten)
		}
		a.commit()
		a.kill()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Second)
		if n, _ := b.parking.len(); n != 1 {
			t.Errorf("%d parked requests were restored", n)
		}
		b.shut()
	})
}

func TestRequestParkedByTheFormerOwnerIsLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{delay: 2 * time.Second}
		v.answer = func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth == 1 {
				return vendors.Verdict{}, lost()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		a, b := pair(t, findingVendor{v}, nil)
		a.send(0, "r-1", "sub-1")
		settle(time.Second)
		a.assign(nil, nil, []int{0, 1, 2})
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Minute)
		wantOncePerRequest(t, b, 1)
		wantCalls(t, b, 1)
		if n := b.next(0); n != 1 {
			t.Errorf("next is %d", n)
		}
		a.shut()
		b.shut()
	})
}
