package lending

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"reauth/internal/vendors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBacklogOnOneReplicaUsesTheWholeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, used := skewed(t, nil, 20*time.Second, nil)
		t.Logf("without lending %.1f %% of the limit is used", 100*used)
		if used > .34 {
			t.Errorf("%.3f of the limit used by a third of the slots", used)
		}
		v.hold(t, limit)
	})
	synctest.Test(t, func(t *testing.T) {
		v, used := skewed(t, &memory{}, 20*time.Second, func(all []*replica) {
			time.Sleep(10 * time.Second)
			for i, r := range all {
				if testutil.ToFloat64(r.lender.metrics.available) != 1 {
					t.Error("the pool does not count as available")
				}
				if i > 0 && testutil.ToFloat64(r.lender.metrics.lent) == 0 || i == 0 && testutil.ToFloat64(r.lender.metrics.borrowed) == 0 {
					t.Error("slots lent or borrowed were not counted")
				}
			}
		})
		t.Logf("with lending %.1f %%", 100*used)
		if used < .97 {
			t.Errorf("%.3f of the limit used, want 0.97", used)
		}
		v.hold(t, limit)
	})
}

func TestPoolThatFailsLeavesEachItsOwnSlots(t *testing.T) {
	for name, late := range map[string]bool{"away": false, "answers lost": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &memory{}
				start := time.Now()
				v, _ := skewed(t, p, 40*time.Second, func(all []*replica) {
					time.Sleep(10 * time.Second)
					p.fail(errAway, late)
					time.Sleep(time.Second)
					for _, r := range all {
						if testutil.ToFloat64(r.lender.metrics.available) != 0 {
							t.Error("the pool counts as available")
						}
					}
					time.Sleep(9 * time.Second)
					p.fail(nil, false)
				})
				v.hold(t, limit)
				if p.lost > limit/5 {
					t.Errorf("%d slots were lost to a pool that is known to fail", p.lost)
				}
				if got := v.between(start.Add(12*time.Second), start.Add(20*time.Second)); got < 8*limit*98/100/3-1 {
					t.Errorf("%d calls in 8 s without the pool, want a third of the limit", got)
				}
				if got := v.between(start.Add(30*time.Second), start.Add(40*time.Second)); got < 10*limit*95/100 {
					t.Errorf("%d calls in 10 s once the pool is back", got)
				}
			})
		})
	}
}

func TestFlappingPoolNeverHasASlotUsedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &memory{}
		v, used := skewed(t, p, 30*time.Second, func([]*replica) {
			for i := range 250 {
				time.Sleep(110 * time.Millisecond)
				p.fail([]error{nil, nil, errAway}[i%3], i%2 == 0)
			}
		})
		v.hold(t, limit)
		if used < .32 {
			t.Errorf("%.3f of the limit used: less than without lending", used)
		}
	})
}

func TestReplicaThatIsNotSureOfItsShardsLendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, used := skewed(t, &memory{}, 10*time.Second, func(all []*replica) {
			for _, r := range all {
				r.unsure.Store(true)
			}
		})
		v.hold(t, limit)
		if used > .34 {
			t.Errorf("%.3f of the limit used", used)
		}
	})
}

func TestProcessThatWasStoppedLendsNothingForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &memory{wanted: time.Now().Add(time.Hour)}
		r := newReplica(&vendor{}, limit, p)
		r.lane.SetShards([]int{0}, 1)
		l := r.lender
		lentIn := func(d time.Duration) float64 {
			before := testutil.ToFloat64(l.metrics.lent)
			for end := time.Now().Add(d); time.Now().Before(end); {
				wait := l.step(t.Context())
				l.due = time.Now().Add(wait)
				time.Sleep(wait)
			}
			return testutil.ToFloat64(l.metrics.lent) - before
		}
		if lentIn(3*time.Second) == 0 {
			t.Fatal("nothing was lent in the first place")
		}
		time.Sleep(time.Minute)
		if n := lentIn(frozen - busy); n != 0 {
			t.Errorf("%v slots lent by a process that has just been stopped for a minute", n)
		}
		if lentIn(3*time.Second) == 0 {
			t.Error("nothing was lent ever after")
		}
	})
}

func TestIdleGroupLendsNothingAndHardlyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &memory{}
		v := &vendor{}
		r := newReplica(v, limit, p)
		r.lane.SetShards([]int{0}, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r.lender.Run(ctx)
		if len(p.slots[vendors.Timetable{MicroRate: 49e6, Shards: 2}]) > 0 || p.trades > 50 {
			t.Errorf("%v lent by %d trades in 10 s", p.slots, p.trades)
		}
	})
}

func TestReplicasThatAreAllBusyKeepTheirSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &memory{}
		v := &vendor{delay: 100 * time.Millisecond}
		var all sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), 22*time.Second)
		defer cancel()
		start := time.Now()
		var replicas []*replica
		for i := range 3 {
			r := newReplica(v, limit, p)
			r.lane.SetShards([]int{i}, 3)
			r.start(ctx, &all, v, 30, 0)
			replicas = append(replicas, r)
		}
		all.Wait()
		v.hold(t, limit)
		if got := v.between(start.Add(2*time.Second), start.Add(22*time.Second)); got < 20*limit*97/100 {
			t.Errorf("%d calls in 20 s", got)
		}
		for _, r := range replicas {
			if n := testutil.ToFloat64(r.lender.metrics.lent); n > 50 {
				t.Errorf("a busy replica lent %v slots", n)
			}
		}
	})
}

// A lender's own requests don't wait long for what it has lent.
func TestOwnerWithLittleWorkIsServedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &memory{}
		v := &vendor{delay: 100 * time.Millisecond}
		var all sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		hungry, owner := newReplica(v, limit, p), newReplica(v, limit, p)
		hungry.lane.SetShards([]int{0, 1}, 4)
		owner.lane.SetShards([]int{2, 3}, 4)
		hungry.start(ctx, &all, v, 40, 0)
		owner.start(ctx, &all, v, 0, 0)
		var waits []time.Duration
		start := time.Now()
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				time.Sleep(time.Duration(150+i*37%300) * time.Millisecond) // some 3 a second
				asked := time.Now()
				permit, err := owner.lane.ReserveFor(ctx, 0, 15*time.Millisecond)
				if err != nil {
					return
				}
				waits = append(waits, time.Until(permit.At)+time.Since(asked))
				if _, err := owner.lane.Call(context.Background(), permit, vendors.Call{}, func() error { return nil }); err == nil {
					v.called(permit.At)
				}
			}
		})
		all.Wait()
		v.hold(t, limit)
		slices.Sort(waits)
		median, worst := waits[len(waits)/2], waits[len(waits)-1]
		used := float64(v.between(start.Add(2*time.Second), start.Add(60*time.Second))) / (58 * limit * .98)
		t.Logf("%d requests waited %v, at worst %v; %.1f %% of the limit used", len(waits), median, worst, 100*used)
		if median > 300*time.Millisecond || worst > 2*time.Second {
			t.Errorf("requests of the lender waited %v, at worst %v", median, worst)
		}
		if used < .9 {
			t.Errorf("%.3f of the limit used", used)
		}
	})
}
