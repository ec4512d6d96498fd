package pipeline

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/vendors"
)

// asks makes requests that are for no call, as those for pages of a list, one after the
// other for d, and each of them counts at the vendor.
func (w *world) asks(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = w.lines["argos"].lane.Turn(ctx, func(context.Context) error {
					w.vendor.set(func() { w.vendor.times = append(w.vendor.times, time.Now()) })
					return nil
				})
			}
		})
	}
	wg.Wait()
}

// A vendor counts requests, whatever they are for: those that are for no call count
// after a takeover as well.
func TestLongerLimitHoldsForWhatIsAskedBesideCallsOverATakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := &fakeVendor{}
		first := join(t, newFakeTopics(), vendor, counting)
		first.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Second)
		first.asks(5 * time.Second)
		if n := vendor.within(time.Minute); n != 294 {
			t.Errorf("%d requests in 5 s, want all of the minute's", n)
		}
		first.kill()
		second := join(t, first.topics, vendor, counting)
		second.assign([]int{0, 1, 2}, nil, nil)
		second.asks(3 * time.Minute)
		if n := vendor.within(time.Minute); n > 300 {
			t.Errorf("%d requests within a minute", n)
		}
		if n := len(vendor.times); n < 3*294 {
			t.Errorf("%d requests in three minutes", n)
		}
		if err := second.shut(); err != nil {
			t.Error(err)
		}
	})
}

// The free check of a paused lane is a request like any other.
func TestLongerLimitHoldsForTheChecksOfReplicasThatComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrongKey := &vendors.Error{Vendor: "argos", Op: "check", Kind: vendors.LaneFault}
		vendor := &fakeVendor{check: wrongKey, answer: func(vendors.Call, int) (vendors.Verdict, error) {
			return vendors.Verdict{}, wrongKey
		}}
		topics := newFakeTopics()
		for i := range 6 {
			w := join(t, topics, vendor, func(_ *Config, l *vendors.LaneConfig) {
				l.Windows = []vendors.Window{{Count: 1, Per: time.Second}, {Count: 6, Per: time.Minute}}
			})
			id := fmt.Sprint("r-", i)
			w.send(i%3, id, id)
			w.assign([]int{0, 1, 2}, nil, nil)
			settle(10 * time.Second)
			w.kill()
		}
		if n := vendor.within(time.Minute); n > 6 {
			t.Errorf("%d requests within a minute", n)
		}
	})
}
