package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/vendors"
)

// A broker that stood still for longer than its session answers, when it wakes, as the
// leader that it was: without the claims that its successor has.
func TestClaimBehindWhatADeposedLeaderHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{delay: 20 * time.Second}, nil)
		settle(time.Second)
		a.topics.depose("ledger/0", 5*time.Second)
		a.send(0, "r-1", "sub-1")
		settle(time.Second)
		wantCallsByNow(t, a, 1)
		a.assign(nil, []int{1, 2}, []int{0})
		b.assign([]int{0}, nil, nil)
		settle(2 * time.Minute)
		wantOncePerRequest(t, b, 1)
		wantCalls(t, b, 1)
		a.shut()
		b.shut()
	})
}

// The same when the time has come to settle what the former owner claimed, and it has
// answered meanwhile.
func TestAnswerBehindWhatADeposedLeaderHas(t *testing.T) {
	for _, lasts := range []time.Duration{45 * time.Second, 5 * time.Minute} {
		t.Run(fmt.Sprint("for ", lasts), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t, &fakeVendor{delay: 20 * time.Second}, nil)
				settle(time.Second)
				a.send(0, "r-1", "sub-1")
				settle(time.Second)
				a.assign(nil, []int{1, 2}, []int{0})
				b.assign([]int{0}, nil, nil)
				settle(time.Second)
				a.topics.depose("ledger/0", lasts)
				settle(10 * time.Minute)
				wantOncePerRequest(t, b, 1)
				wantCalls(t, b, 1)
				a.shut()
				b.shut()
			})
		})
	}
}

// What is written to be read up to may be gone as well.
func TestBarrierThatIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{}
		b := join(t, topics, v, nil)
		topics.depose("ledger/0", 2*time.Second)
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Second)
		n := len(topics.logs["ledger/0"])
		if n != 1 {
			t.Errorf("%d records in the ledger, want a barrier", n)
		}
		topics.cut("ledger/0", n)
		b.send(0, "r-1", "sub-1")
		settle(time.Minute)
		wantOncePerRequest(t, b, 1)
		b.shut()
	})
}

// Barriers are no work: a group that is started over and over and comes to none does
// not forget what it left before.
func TestRestoresDoNotUseUpTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{}
		change := func(c *Config, _ *vendors.LaneConfig) {
			c.Retry = RetryConfig{MaxAttempts: 20, Initial: 100 * time.Hour, Max: 100 * time.Hour, Budget: 1}
		}
		v.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, transient() }
		w := join(t, topics, v, change)
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(time.Minute) // it is parked
		w.commit()
		w.kill()
		v.set(func() { v.answer = nil })
		for range 40 {
			w = join(t, topics, v, change)
			w.assign([]int{0, 1, 2}, nil, nil)
			settle(2 * time.Second)
			w.kill()
			time.Sleep(time.Hour)
		}
		w = join(t, topics, v, change)
		w.assign([]int{0, 1, 2}, nil, nil)
		settle(100 * time.Hour)
		wantOncePerRequest(t, w, 1)
		w.shut()
	})
}
