package stream_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"reauth/internal/stream"
)

// farAway gives everything that the owners receive a delay, so that what takes
// round trips takes time.
func farAway(owners ...*owner) {
	for _, o := range owners {
		o.links.slow(5 * time.Millisecond)
	}
}

// hasLeft tells whether Run has returned, and with what.
func (o *owner) hasLeft(t *testing.T) bool {
	t.Helper()
	select {
	case err := <-o.done:
		if err != nil {
			t.Errorf("left with %v", err)
		}
		o.done <- err // for the next who asks
		return true
	default:
		return false
	}
}

func (o *owner) hasHandedOver() bool {
	select {
	case <-o.handedOver:
		return true
	default:
		return false
	}
}

func TestLeaverHandsItsShardsOverWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a, b, c := join(t, kafka), join(t, kafka), join(t, kafka)
		all := []*owner{a, b, c}
		eventually(t, all, settled(6, all...))
		farAway(all...)
		time.Sleep(10 * time.Second)
		owned := a.shards()
		a.finish(owned[0], 12)

		began := time.Now()
		a.stop()
		idle := idleUntil(t, all, 6, func() bool { return settled(6, b, c)() && len(a.shards()) == 0 })
		took := time.Since(began)
		if synctest.Wait(); !a.hasHandedOver() {
			t.Error("the leaver has no shards and does not say so")
		}
		if !slices.Equal(a.last().Lost, owned) || len(a.shards()) > 0 {
			t.Errorf("of %v the leaver lost %v and has %v", owned, a.last().Lost, a.shards())
		}
		for _, o := range []*owner{b, c} {
			if next, gained := o.last().Next[owned[0]]; gained && next["requests"] != 12 {
				t.Errorf("the next owner starts at %d, want the last commit of the one before", next["requests"])
			}
		}
		// That the others notice is what takes time, up to a heartbeat.
		idle += idleUntil(t, all, 6, func() bool { return a.hasLeft(t) })
		if took > 3*time.Second+500*time.Millisecond || time.Since(began) > took+1500*time.Millisecond {
			t.Errorf("handing over took %s and leaving %s", took, time.Since(began)-took)
		}
		last := a.allSuspensions()
		last = last[len(last)-2:]
		if errors.Is(last[0].cause, stream.ErrLeaving) || !errors.Is(last[1].cause, stream.ErrLeaving) {
			t.Errorf("the last two suspensions are %v and %v, want one for leaving", last[0].cause, last[1].cause)
		}
		generation := b.generations()
		idle += idleUntil(t, all, 6, func() bool { return b.generations() > generation && settled(6, b, c)() })
		if got := b.last(); len(got.Gained)+len(got.Lost) > 0 {
			t.Errorf("when the leaver left, b gained %v and lost %v", got.Gained, got.Lost)
		}
		if n := len(kafka.GroupInfo(group).Members); n != 2 {
			t.Errorf("%d members are left", n)
		}
		// Two rebalances, each of some round trips between an answer to a join and
		// the Assign, in which no one may call.
		if most := 2 * 6 * 50 * time.Millisecond; idle > most {
			t.Errorf("shards were idle for %s in all, want at most %s", idle, most)
		}
		t.Logf("handed over after %s; shards were idle for %s in all", took, idle)
	})
}

func TestRollingRestartLeavesHardlyASlotUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		all := []*owner{join(t, kafka), join(t, kafka), join(t, kafka)}
		running := slices.Clone(all)
		eventually(t, all, settled(6, running...))
		farAway(all...)
		began, idle := time.Now(), time.Duration(0)
		for range 3 {
			young := join(t, kafka)
			farAway(young)
			all, running = append(all, young), append(running, young)
			idle += idleUntil(t, all, 6, func() bool { return len(young.mayCall()) > 0 })
			old := running[0]
			running = running[1:]
			old.stop()
			idle += idleUntil(t, all, 6, func() bool { return old.hasLeft(t) })
			generation := young.generations()
			idle += idleUntil(t, all, 6, func() bool { return young.generations() > generation && settled(6, running...)() })
		}
		share := 1 - idle.Seconds()/6/time.Since(began).Seconds()
		t.Logf("%.2f %% of the shards' time was used in %s", 100*share, time.Since(began))
		if share < 0.98 {
			t.Errorf("%.2f %% of the shards' time was used", 100*share)
		}
	})
}

func TestLeaverStaysUntilTheOthersHaveAskedForTheirShare(t *testing.T) {
	// The leader asks before anybody has an answer, and which of them leads is
	// the coordinator's choice; so each is late once.
	for late := 1; late <= 2; late++ {
		synctest.Test(t, func(t *testing.T) {
			kafka := startGroup(t)
			all := []*owner{join(t, kafka), join(t, kafka), join(t, kafka)}
			eventually(t, all, settled(6, all...))
			time.Sleep(10 * time.Second)
			all[late].onFence = func() { time.Sleep(100 * time.Millisecond) }
			all[0].stop()
			idle := idleUntil(t, all, 6, func() bool { return all[0].hasLeft(t) })
			generation := all[late].generations()
			idle += idleUntil(t, all, 6, func() bool { return all[late].generations() > generation && settled(6, all[1:]...)() })
			if most := 2 * 6 * 150 * time.Millisecond; idle > most {
				t.Errorf("the one that asked late was refused: shards were idle for %s in all, want at most %s", idle, most)
			}
		})
	}
}

func TestAllMayLeaveAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		all := []*owner{join(t, kafka), join(t, kafka), join(t, kafka)}
		eventually(t, all, settled(6, all...))
		time.Sleep(10 * time.Second)
		began := time.Now()
		for _, o := range all {
			o.finish(o.shards()[0], 5)
			o.stop()
		}
		eventually(t, all, func() bool {
			return !slices.ContainsFunc(all, func(o *owner) bool { return !o.hasLeft(t) })
		})
		if took := time.Since(began); took > 1500*time.Millisecond {
			t.Errorf("leaving took %s", took)
		}
		for i, o := range all {
			if got := o.last(); len(got.Lost)+len(got.Gained) > 0 {
				t.Errorf("member %d gained %v and lost %v, which are for nobody", i, got.Gained, got.Lost)
			}
		}
		if info := kafka.GroupInfo(group); len(info.Members) > 0 {
			t.Errorf("%d members are left", len(info.Members))
		}
	})
}

func TestHandoverIsOverAtItsBoundWhateverElseIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		brief := func(c *stream.GroupConfig) { c.Handover = 500 * time.Millisecond }
		a, b := join(t, kafka, brief), join(t, kafka, brief)
		both := []*owner{a, b}
		eventually(t, both, settled(6, a, b))
		time.Sleep(10 * time.Second)
		began, generation := time.Now(), a.generations()
		a.stop()
		b.stop()
		// Both are leaving, so they stay as they are for a second. Then the last
		// commit is answered late.
		eventually(t, both, func() bool { return a.generations() > generation })
		kafka.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
			kafka.SleepControl(func() { time.Sleep(2 * time.Second) })
			return nil, nil, false
		})
		a.finish(a.shards()[0], 5)
		eventually(t, both, a.hasHandedOver)
		if took := time.Since(began); took > 550*time.Millisecond {
			t.Errorf("handing over took %s", took)
		}
		if len(a.mayCall()) > 0 {
			t.Error("the leaver may call after that")
		}
		eventually(t, both, func() bool { return a.hasLeft(t) && b.hasLeft(t) })
	})
}

func TestMemberThatIsAloneLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		eventually(t, []*owner{a}, settled(6, a))
		a.finish(0, 3)
		began := time.Now()
		if err := a.leave(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("leaving took %s", took)
		}
		committed, err := a.client.CommittedOffsets(t.Context(), group, topics...)
		if err != nil || committed["requests"][0] != 3 {
			t.Errorf("committed %v (%v)", committed, err)
		}
	})
}

func TestMemberWithoutShardsLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		var all []*owner
		for range 7 {
			all = append(all, join(t, kafka))
		}
		eventually(t, all, settled(6, all...))
		time.Sleep(10 * time.Second)
		spare := all[slices.IndexFunc(all, func(o *owner) bool { return len(o.shards()) == 0 })]
		began, generation := time.Now(), spare.generations()
		if err := spare.leave(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 100*time.Millisecond || spare.generations() > generation {
			t.Errorf("leaving took %s and %d generations", took, spare.generations()-generation)
		}
	})
}

func TestStopDuringARebalanceStillHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a, b := join(t, kafka), join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		farAway(a, b)
		time.Sleep(10 * time.Second)
		c := join(t, kafka)
		farAway(c)
		all := []*owner{a, b, c}
		eventually(t, all, func() bool { return len(a.allSuspensions()) > 0 })
		a.stop()
		idle := idleUntil(t, all, 6, settled(6, b, c))
		idle += idleUntil(t, all, 6, func() bool { return a.hasLeft(t) })
		if most := 3 * 6 * 50 * time.Millisecond; idle > most {
			t.Errorf("shards were idle for %s in all, want at most %s", idle, most)
		}
	})
}

func TestStopDuringAJoinThatHangsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a, b := join(t, kafka), join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		// The group waits for a, which does not answer, while c joins.
		a.links.freeze()
		c := join(t, kafka)
		eventually(t, []*owner{b, c}, func() bool {
			info := kafka.GroupInfo(group)
			return info.State == "PreparingRebalance" && len(b.allSuspensions()) > 0
		})
		synctest.Wait()

		for name, tt := range map[string]struct {
			leaver      *owner
			least, most time.Duration
		}{
			"with shards":   {b, 10 * time.Second, 12 * time.Second},
			"with none yet": {c, 0, time.Second},
		} {
			began := time.Now()
			if err := tt.leaver.leave(); err != nil {
				t.Errorf("%s: left with %v", name, err)
			}
			if took := time.Since(began); took < tt.least || took > tt.most {
				t.Errorf("%s: leaving took %s", name, took)
			}
		}
		// b had an id to leave with; what is left is a, and c's join.
		if info := kafka.GroupInfo(group); len(info.Members) > 2 {
			t.Errorf("%d members are left", len(info.Members))
		}
	})
}

func TestLeaverWithoutACoordinatorGivesUpInTime(t *testing.T) {
	for name, tt := range map[string]struct {
		away func(a *owner, coordinator *kfake.Cluster)
		most time.Duration
	}{
		"silent": {func(a *owner, _ *kfake.Cluster) { a.links.freeze() }, 11 * time.Second},
		"unknown": {func(_ *owner, kafka *kfake.Cluster) {
			kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, Count: 3})
		}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kafka := startGroup(t)
				a, b := join(t, kafka), join(t, kafka)
				both := []*owner{a, b}
				eventually(t, both, settled(6, a, b))
				time.Sleep(10 * time.Second)
				tt.away(a, kafka.Cluster)
				began := time.Now()
				a.stop()
				eventually(t, both, func() bool { return a.hasHandedOver() })
				if took := time.Since(began); took > tt.most+50*time.Millisecond {
					t.Errorf("handing over was tried for %s", took)
				}
				if len(a.mayCall()) > 0 {
					t.Error("the leaver may call after that")
				}
				eventually(t, both, func() bool { return a.hasLeft(t) })
				if took := time.Since(began); took > tt.most+20*time.Second {
					t.Errorf("leaving took %s", took)
				}
				eventually(t, both, settled(6, b))
			})
		})
	}
}
