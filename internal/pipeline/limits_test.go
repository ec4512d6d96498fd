package pipeline

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/stream"
	"reauth/internal/vendors"
)

// counting gives a lane a limit that is counted.
func counting(_ *Config, l *vendors.LaneConfig) {
	l.Windows = []vendors.Window{{Count: 100, Per: time.Second}, {Count: 300, Per: time.Minute}}
}

// within returns the most calls and checks in any sliding span of length d, ends included.
func (v *fakeVendor) within(d time.Duration) (most int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	times := slices.SortedFunc(slices.Values(slices.Concat(v.times, v.checks)), time.Time.Compare)
	first := 0
	for i, at := range times {
		for at.Sub(times[first]) > d {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func (w *world) sendMany(shards, each int) {
	for s := range shards {
		for i := range each {
			id := fmt.Sprintf("%d-%d", s, i)
			w.send(s, id, id)
		}
	}
}

// A longer limit is used at the full pace, holds over a crash and a takeover by
// another replica, and keeps those who wait for it out of the way.
func TestLongerLimitHoldsOverATakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := &fakeVendor{}
		first := join(t, newFakeTopics(), vendor, counting)
		first.sendMany(3, 300)
		first.assign([]int{0, 1, 2}, nil, nil)
		settle(5 * time.Second)
		if n := len(vendor.called()); n != 294 {
			t.Errorf("%d calls in 5 s, want all of the minute's", n)
		}
		line := first.lines["argos"]
		if n := len(line.preparing) + len(line.begun); n != 1+1 {
			t.Errorf("%d places are held by requests without room, want none but the dispatcher's", n)
		}
		first.commit()
		first.kill()
		second := join(t, first.topics, vendor, counting)
		second.assign([]int{0, 1, 2}, nil, nil)
		settle(4 * time.Minute)
		if n := vendor.within(time.Minute); n > 300 {
			t.Errorf("%d calls within a minute", n)
		}
		if n := len(vendor.called()); n != 900 {
			t.Errorf("%d calls for 900 requests within four minutes", n)
		}
		if n := len(second.results()); n != 900 {
			t.Errorf("%d results", n)
		}
		if err := second.shut(); err != nil {
			t.Error(err)
		}
	})
}

// Calls of an idle lane go as they come, though slots are 100 ms apart, while nobody can
// gain the shards; and who suspends the replica is told until when their slots last.
func TestCallsGoFarAheadOfTheirSlotsWhileTheShardsAreSurelyOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.Windows = perSecond(10) })
		sent := 0
		// callsAtOnce sends four requests and returns how many calls they lead to at once.
		callsAtOnce := func() int {
			settle(5 * time.Second)
			before := len(w.vendor.called())
			for range 4 {
				w.send(0, fmt.Sprint("r-", sent), fmt.Sprint("sub-", sent))
				sent++
			}
			settle(50 * time.Millisecond)
			return len(w.vendor.called()) - before
		}
		if n := callsAtOnce(); n > 2 {
			t.Errorf("%d calls at once before a commit has shown that the shards are ours", n)
		}
		w.Sustain(time.Now().Add(time.Minute))
		if n := callsAtOnce(); n != 4 {
			t.Errorf("%d calls at once, want all four", n)
		}
		if takes := w.Suspend(time.Now().Add(time.Minute), stream.ErrRebalance); takes < 200*time.Millisecond || takes > 450*time.Millisecond {
			t.Errorf("the slots of four calls take %v to begin", takes)
		}
		w.Sustain(time.Now().Add(time.Minute)) // the last commit's
		if n := callsAtOnce(); n > 2 {
			t.Errorf("%d calls at once when the shards may leave soon", n)
		}
		settle(5 * time.Second)
		if n := len(w.results()); n != sent {
			t.Errorf("%d results for %d requests", n, sent)
		}
		w.shut()
	})
}

// What a lost shard called counts for its new owner only, what it called before
// and what its former owner calls while it does not know yet.
func TestLongerLimitHoldsOverRebalances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := &fakeVendor{}
		one := join(t, newFakeTopics(), vendor, counting)
		two := join(t, one.topics, vendor, counting)
		one.sendMany(3, 400)
		one.assign([]int{0, 1, 2}, nil, nil)
		settle(1500 * time.Millisecond)
		for range 4 {
			one.commit()
			two.assign([]int{1, 2}, nil, nil)
			one.assign(nil, []int{0}, []int{1, 2})
			settle(20 * time.Second)
			two.commit()
			one.assign([]int{1, 2}, []int{0}, nil)
			two.assign(nil, nil, []int{1, 2})
			settle(1500 * time.Millisecond)
		}
		if n := vendor.within(time.Minute); n > 300 {
			t.Errorf("%d calls within a minute", n)
		}
		if n := len(vendor.called()); n < 294*3/2 {
			t.Errorf("%d calls in 86 s", n)
		}
		for _, w := range []*world{one, two} {
			if err := w.shut(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A refused call and its repetition are two calls, and the ledger says so.
func TestEachCallHasAClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, counting)
		w.vendor.set(func() {
			w.vendor.answer = func(c vendors.Call, nth int) (vendors.Verdict, error) {
				if nth == 1 {
					return vendors.Verdict{}, &vendors.Error{Vendor: "argos", Op: "authenticate", Kind: vendors.Throttled}
				}
				return vendors.Verdict{Outcome: "approved", Reference: "auth-" + c.SubmissionID}, nil
			}
		})
		w.send(0, "r", "r")
		settle(5 * time.Second)
		claims := 0
		for _, rec := range w.topics.written("ledger") {
			if string(rec.Key) == "r" && len(rec.Value) > 17 && string(rec.Value[:17]) == `{"step":"claimed"` {
				claims++
			}
		}
		if calls := len(w.vendor.called()); calls != 2 || claims != 2 {
			t.Errorf("%d claims for %d calls", claims, calls)
		}
		if err := w.shut(); err != nil {
			t.Error(err)
		}
	})
}
