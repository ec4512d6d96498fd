package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/stream"
	"reauth/internal/vendors"
)

func TestLostShardIsNotCommittedAndNotCalledFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.Windows = perSecond(1); l.Registerer = reg })
		w.vendor.delay = 10 * time.Second
		for i := range 30 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(5 * time.Second)
		begun := len(w.vendor.called())
		if begun == 0 {
			t.Fatal("no call was made")
		}
		w.assign(nil, []int{1, 2}, []int{0})
		settle(time.Minute)
		if n := len(w.vendor.called()); n != begun {
			t.Errorf("%d calls were made after the shard was lost", n-begun)
		}
		if n := len(w.results()); n != begun {
			t.Errorf("%d results for the %d calls that were at the vendor", n, begun)
		}
		if _, ok := w.Next()["requests"][0]; ok {
			t.Error("a lost shard would be committed")
		}
		if n := testutil.ToFloat64(w.metrics.afterMove); int(n) != begun {
			t.Errorf("%v results after the move were counted, want %d", n, begun)
		}
		if w.backlog.TryAcquire(w.cfg.MaxBacklog) == false {
			t.Error("requests of the lost shard still count in the backlog")
		}
		w.shut()
	})
}

func TestKeptShardWorksOnThroughARebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.Windows = perSecond(10) })
		for i := range 60 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(2 * time.Second)
		before := len(w.vendor.called())
		w.Suspend(time.Now().Add(20*time.Second), stream.ErrRebalance)
		settle(time.Second)
		if n := len(w.vendor.called()); n <= before {
			t.Error("no call was made between two generations")
		}
		w.assign(nil, []int{0}, []int{1, 2})
		settle(time.Minute)
		if n := len(w.vendor.called()); n != 60 {
			t.Errorf("%d calls for 60 requests", n)
		}
		if n := w.topics.opened["requests/0"]; n != 1 {
			t.Errorf("a kept shard's reader was opened %d times", n)
		}
		if n := w.next(0); n != 60 {
			t.Errorf("next is %d", n)
		}
		w.shut()
	})
}

func TestNoCallIsMadeOnceTheShardsMayHaveAnotherOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.Windows = perSecond(10) })
		for i := range 100 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(time.Second)
		until := time.Now().Add(2 * time.Second)
		w.Suspend(until, stream.ErrRebalance)
		settle(time.Minute)
		for _, at := range w.vendor.times {
			if at.After(until) {
				t.Fatalf("a call %v after the lease's end", at.Sub(until))
			}
		}
		if n := len(w.vendor.called()); n < 20 {
			t.Errorf("%d calls up to the lease's end", n)
		}
		w.assign(nil, []int{0}, []int{1, 2})
		settle(time.Minute)
		if n := len(w.results()); n != 100 {
			t.Errorf("%d results after the next generation began", n)
		}
		w.shut()
	})
}

func TestNoCallIsMadeWhenNothingIsHeardOfTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.Windows = perSecond(10) })
		for i := range 100 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		for range 4 {
			w.Sustain(time.Now().Add(2 * time.Second))
			settle(time.Second)
		}
		until := time.Now().Add(time.Second)
		settle(time.Minute) // a heartbeat is answered, but late
		for _, at := range w.vendor.times {
			if at.After(until) {
				t.Fatalf("a call %v after the shards may have gone", at.Sub(until))
			}
		}
		if n := len(w.vendor.called()); n < 40 {
			t.Errorf("%d calls while the group was heard of", n)
		}
		w.Sustain(time.Now().Add(time.Minute))
		settle(time.Minute)
		if n := len(w.results()); n != 100 {
			t.Errorf("%d results after the group was heard of again", n)
		}
		w.shut()
	})
}

func TestStopFinishesWhatIsAtTheVendorAndBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.Windows = perSecond(10) })
		w.vendor.delay = 5 * time.Second
		for i := range 100 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(3 * time.Second)
		w.halt()
		synctest.Wait()
		begun := len(w.vendor.called())
		if err := <-w.ended; err != nil {
			t.Errorf("Run ended with %v", err)
		}
		if n := len(w.vendor.called()); n != begun || begun == 0 {
			t.Errorf("%d calls were made after the stop, %d before", n-begun, begun)
		}
		if n := len(w.results()); n != begun {
			t.Errorf("%d results for %d calls", n, begun)
		}
		if n := w.next(0); n != int64(begun) {
			t.Errorf("next is %d, want the %d that are done", n, begun)
		}
	})
}

func TestStopIsBoundedByTheGraceTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) { c.Grace = 10 * time.Second; l.Timeout = time.Hour })
		w.vendor.delay = time.Hour
		w.send(0, "r-1", "sub-1")
		settle(time.Second)
		start := time.Now()
		if err := w.shut(); !errors.Is(err, errCutOff) {
			t.Errorf("Run ended with %v", err)
		}
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if n := w.next(0); n > 0 || len(w.results()) != 0 {
			t.Errorf("next is %d after a call that was cut off", n)
		}
	})
}
