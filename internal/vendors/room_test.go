package vendors

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// counting50 is a lane's configuration with 50 calls a second, and as many in 10 s.
func counting50() LaneConfig {
	cfg := config()
	cfg.Windows = []Window{{50, time.Second}, {50, 10 * time.Second}}
	return cfg
}

// newCountingLane returns a lane that owns all of total shards, restored.
func newCountingLane(a Adapter, cfg LaneConfig, total int) *Lane {
	l := NewLane(a, cfg)
	var owned []int
	for s := range total {
		owned = append(owned, s)
	}
	l.SetShards(owned, total)
	for s := range total {
		l.EndRestore(s)
	}
	time.Sleep(handover) // fake time
	return l
}

// callFor makes calls for a shard until there is no room soon, and returns their
// number and the error.
func callFor(ctx context.Context, l *Lane, shard int) (calls int, err error) {
	for {
		p, err := l.ReserveFor(ctx, shard, 0)
		if err != nil {
			return calls, err
		}
		if _, err := l.Call(ctx, p, Call{}, may); err != nil {
			return calls, err
		}
		calls++
	}
}

func TestShardCallsUpToItsShareAndThenSaysWhenToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newCountingLane(&fakeAdapter{}, counting50(), 2)
		start := time.Now()
		calls, err := callFor(t.Context(), l, 0)
		var full *NoRoomError
		if calls != 25 || !errors.As(err, &full) {
			t.Fatalf("%d calls, %v; want half of 49, rounded up, and no room", calls, err)
		}
		if d := full.Until.Sub(start); d < 10*time.Second || d > 10200*time.Millisecond {
			t.Errorf("to come back after %v", d)
		}
		if l.inFlight.taken() != 0 || l.turn.taken() != 0 {
			t.Error("a shard without room kept a place")
		}
		if calls, again := l.Room(0); calls != 0 || full.Until.Sub(again) != soon {
			t.Errorf("room for %d calls, to ask again %v before there is some", calls, full.Until.Sub(again))
		}
		if calls, _ := l.Room(1); calls != 24 {
			t.Errorf("room for %d calls on the other shard, want its share of 24", calls)
		}
		if calls, _ := callFor(t.Context(), l, 1); calls != 24 {
			t.Errorf("%d calls on the other shard", calls)
		}
		time.Sleep(time.Until(full.Until) - soon/2)
		if calls, _ := l.Room(0); calls == 0 {
			t.Error("no room soon, right before there is some")
		}
		if _, err := l.ReserveFor(t.Context(), 0, 0); err != nil || time.Now().Before(full.Until.Add(-early)) {
			t.Errorf("a permit %v before there was room, %v", time.Until(full.Until), err)
		}
	})
}

func TestUnlimitedLaneHasAlwaysRoom(t *testing.T) {
	l := NewLane(&fakeAdapter{}, config())
	if calls, _ := l.Room(7); calls != math.MaxInt || l.Counts() || l.LongestWindow() != 0 {
		t.Errorf("room for %d calls where none are counted", calls)
	}
}

// What one owner called counts for the next, through the ledger.
func TestNewOwnerCountsTheCallsOfTheFormer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{}
		first := newCountingLane(a, counting50(), 1)
		if calls, _ := callFor(t.Context(), first, 0); calls != 49 {
			t.Fatalf("%d calls", calls)
		}
		first.SetShards(nil, 1)

		second := NewLane(a, counting50())
		second.SetShards([]int{0}, 1)
		second.BeginRestore(0)
		if calls, _ := second.Room(0); calls != 0 {
			t.Errorf("room for %d calls before the ledger was read", calls)
		}
		made := a.made()
		second.Restore(0, made[0]) // and then reading it broke off
		second.BeginRestore(0)
		for _, at := range made[:48] {
			second.Restore(0, at)
		}
		second.EndRestore(0)
		time.Sleep(handover)
		if calls, _ := second.Room(0); calls != 1 {
			t.Errorf("room for %d calls, want the one that the first has left", calls)
		}
		second.Restore(0, made[48]) // its claim came late
		if calls, _ := second.Room(0); calls != 0 {
			t.Errorf("room for %d calls after a late claim", calls)
		}
		// The shard leaves and comes back.
		second.SetShards(nil, 1)
		second.Restore(0, time.Now())
		second.SetShards([]int{0}, 1)
		second.EndRestore(0)
		time.Sleep(handover)
		if calls, _ := second.Room(0); calls != 49 {
			t.Errorf("room for %d calls: what was counted before the shard left was kept", calls)
		}
	})
}

func TestPermitGivenBackIsNotCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newCountingLane(&fakeAdapter{}, counting50(), 1)
		for range 200 {
			p, err := l.ReserveFor(t.Context(), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			p.Release()
		}
		if calls, _ := callFor(t.Context(), l, 0); calls != 49 {
			t.Errorf("%d calls after 200 permits were given back", calls)
		}
	})
}

// A request to the vendor that belongs to no shard's request counts, too, and
// waits its turn.
func TestTurnIsChargedAndWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newCountingLane(&fakeAdapter{}, counting50(), 3)
		start := time.Now()
		for range 60 {
			if err := l.Turn(t.Context(), func(context.Context) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("60 turns took %v, where 49 are allowed in 10 s", took)
		}
	})
}

// A shard without room does not hold up the others.
func TestShardWithoutRoomHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newCountingLane(&fakeAdapter{}, counting50(), 2)
		_, err := callFor(t.Context(), l, 0)
		var full *NoRoomError
		if !errors.As(err, &full) {
			t.Fatal(err)
		}
		time.Sleep(time.Until(full.Until) - soon/2)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if p, err := l.ReserveFor(t.Context(), 0, 0); err == nil {
					p.Release()
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		p, err := l.ReserveFor(t.Context(), 1, 0)
		if err != nil || time.Since(start) > 50*time.Millisecond {
			t.Errorf("a shard with room waited %v for a permit, %v", time.Since(start), err)
		}
		p.Release()
		wg.Wait()
	})
}

func TestUseOfAWindowIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		cfg := counting50()
		cfg.Registerer = reg
		l := newCountingLane(&fakeAdapter{}, cfg, 2)
		l.SetShards([]int{0}, 2)
		for range 3 {
			p, _ := l.ReserveFor(t.Context(), 0, 0)
			_, _ = l.Call(t.Context(), p, Call{}, may)
		}
		const want = `
# HELP reauth_limit_share Calls that this replica may make within the window, by the shards that it owns; 0 while the limit is spread evenly instead.
# TYPE reauth_limit_share gauge
reauth_limit_share{vendor="argos",window="10s"} 25
# HELP reauth_limit_used Calls within the window that count against this replica's share of a limit.
# TYPE reauth_limit_used gauge
reauth_limit_used{vendor="argos",window="10s"} 3
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "reauth_limit_share", "reauth_limit_used"); err != nil {
			t.Error(err)
		}
		if faults, err := testutil.GatherAndLint(reg); err != nil || len(faults) > 0 {
			t.Errorf("%v %v", faults, err)
		}
	})
}
