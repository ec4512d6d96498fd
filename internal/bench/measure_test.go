package main

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQuantileIsTheLeastValueThatTheShareDoesNotExceed(t *testing.T) {
	values := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, c := range []struct {
		share float64
		want  time.Duration
	}{{0, 1}, {0.05, 1}, {0.1, 1}, {0.5, 5}, {0.51, 6}, {0.9, 9}, {0.99, 10}, {1, 10}} {
		if got := quantile(values, c.share); got != c.want {
			t.Errorf("quantile(1 … 10, %v) = %d, want %d", c.share, got, c.want)
		}
	}
	if got := quantile([]time.Duration{7}, 0.5); got != 7 {
		t.Errorf("of one value: %d, want it", got)
	}
}

func TestShardsWithoutAnOwnerLowerWhatCouldBeUsed(t *testing.T) {
	// 3 of 12 shards have no owner for 12 s of 30 s: 27 s are left of the limit.
	u := usage{limit: 100, window: 30 * time.Second, calls: 2646, orphaned: 3 * 12 * time.Second}
	if got := u.used(); math.Abs(got-0.882) > 1e-9 {
		t.Errorf("used %v of all, want 0.882", got)
	}
	if got := u.usedOwned(); math.Abs(got-0.98) > 1e-9 {
		t.Errorf("used %v of what had an owner, want 0.98", got)
	}
}

func TestOrphanedTimeEndsWhenAnotherReplicaWorksOnTheShard(t *testing.T) {
	dead := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	works := func(shard int, after time.Duration) shardWorks {
		return shardWorks{shard: shard, at: dead.Add(after)}
	}
	heir := &consumer{log: &logReader{works: []shardWorks{
		works(1, -time.Minute), // before, in an earlier life of the shard
		works(1, 14*time.Second), works(2, 15*time.Second), works(9, time.Second),
		works(4, 20*time.Second), // past the end
	}}}
	f := &fleet{alive: []*consumer{heir}}
	sum, longest := f.orphaned(death{at: dead, shards: []int{1, 2, 3, 4}}, dead.Add(18*time.Second))
	if sum != (14+15+18+18)*time.Second || longest != 18*time.Second {
		t.Errorf("%s in all, %s at most; want 65s and 18s", sum, longest)
	}
}

func TestBySecondCountsWholeSeconds(t *testing.T) {
	begin := time.Now()
	var samples []sample
	for i := range 26 { // 2.5 s, 3 calls in each tenth
		samples = append(samples, sample{begin.Add(time.Duration(i) * 100 * time.Millisecond), 3 * i})
	}
	if diff := cmp.Diff([]int{30, 30}, bySecond(samples)); diff != "" {
		t.Error(diff)
	}
}

func TestMachineIsBusyWithAllButIdleAndWaiting(t *testing.T) {
	before, err := machineIn([]byte("cpu  100 0 50 1000 10 0 0 0 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	after, err := machineIn([]byte("cpu  130 5 60 1030 20 2 3 10 7 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := after.busySince(before); got != 0.6 { // 60 of 100 ticks
		t.Errorf("busy %v, want 0.6", got)
	}
	if _, err := machineIn([]byte("intr 1 2 3")); err == nil {
		t.Error("a file without the processors' line: want an error")
	}
}

func TestMetricsAreSummedByName(t *testing.T) {
	m := metrics{`a{x="1"}`: 1, `a{x="2"}`: 2, "a": 4, "ab": 8}
	if got := m.sum("a"); got != 7 {
		t.Errorf("sum %v, want 7", got)
	}
	if got := slices.Sorted(slices.Values(m.numbers("a", "x"))); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("numbers %v, want 1 and 2", got)
	}
}

func TestMemoryIsConstantIfTheSecondHalfTakesNoMore(t *testing.T) {
	const mebi = 1 << 20
	for _, c := range []struct {
		name string
		d    drained
		want bool
	}{
		{"the same", drained{n: 1_000_000, half: 100 * mebi, top: 100 * mebi}, true},
		{"ids remembered", drained{n: 1_000_000, half: 100 * mebi, top: 150 * mebi}, true},
		{"requests kept", drained{n: 1_000_000, half: 300 * mebi, top: 600 * mebi}, false},
	} {
		if got := c.d.constant(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

func TestWaitsThatALimitImposes(t *testing.T) {
	begin := time.Unix(0, 0)
	var journeys []journey
	for _, ms := range []int{0, 100, 200, 900, 1050, 2500} {
		journeys = append(journeys, journey{sent: begin.Add(time.Duration(ms) * time.Millisecond)})
	}
	ms := time.Millisecond
	// Two a second: at 0, 100, 1000, 1100, 2000 and 2500 ms.
	if got, want := imposed(journeys, 2), []time.Duration{0, 0, 800 * ms, 200 * ms, 950 * ms, 0}; !slices.Equal(got, want) {
		t.Errorf("waits of %v, want %v", got, want)
	}
}
