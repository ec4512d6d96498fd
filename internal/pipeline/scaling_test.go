package pipeline

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

func TestReplicasWanted(t *testing.T) {
	limited := func(perSecond float64, latency time.Duration) demand { return demand{perSecond, latency, 256} }
	for name, c := range map[string]struct {
		demands []demand
		cpu     time.Duration
		lag     int64
		want    int
	}{
		"no work":                            {nil, time.Second, 1e9, 1},
		"latency unknown":                    {[]demand{limited(50, 0)}, 0, 1e6, 1},
		"one can have all calls in flight":   {[]demand{limited(50, 2*time.Second)}, 0, 1e6, 1},
		"just so":                            {[]demand{limited(256, time.Second)}, 0, 1e6, 1},
		"a little more":                      {[]demand{limited(257, time.Second)}, 0, 1e6, 2},
		"slow vendor":                        {[]demand{limited(200, 8*time.Second)}, 0, 1, 7},
		"the neediest lane counts":           {[]demand{limited(50, time.Second), limited(200, 4*time.Second)}, 0, 1, 4},
		"cpu, of two":                        {[]demand{limited(200, time.Second)}, 20 * time.Millisecond, 1, 3},
		"cpu of all lanes":                   {[]demand{limited(100, time.Second), limited(100, time.Second)}, 20 * time.Millisecond, 1, 3},
		"no limit, little lag":               {[]demand{limited(0, time.Minute)}, time.Second, 10, 1},
		"no limit, much lag":                 {[]demand{limited(0, 0)}, 0, 15_001, 6},
		"never more than shards":             {[]demand{limited(5000, 8*time.Second)}, 0, 1, 12},
		"never more than shards, by lag":     {[]demand{limited(0, 0)}, 0, 1 << 62, 12},
		"limits and none: the neediest lane": {[]demand{limited(0, 0), limited(200, 8*time.Second)}, 0, 6_000, 7},
	} {
		if got := replicasWanted(c.demands, c.cpu, 2, c.lag, 12); got != c.want {
			t.Errorf("%s: %d are wanted, not %d", name, got, c.want)
		}
	}
	if got := replicasWanted(nil, 0, 2, 0, 0); got != 1 {
		t.Errorf("without shards: %d", got)
	}
}

// busy is a replica with a backlog at a vendor that takes 1 s, 60 calls a second
// and 32 at once: two replicas are needed.
func busy(t *testing.T, change func(*vendors.LaneConfig)) *world {
	t.Helper()
	w := join(t, newFakeTopics(), &fakeVendor{delay: time.Second}, func(c *Config, l *vendors.LaneConfig) {
		c.MaxOpen, c.MaxBacklog = 20_000, 64<<20
		l.Windows, l.MaxInFlight, l.Headroom = perSecond(60), 32, 0
		if change != nil {
			change(l)
		}
	})
	w.cpu.used = func() time.Duration { return 0 }
	w.assign([]int{0, 1, 2}, nil, nil)
	return w
}

func (w *world) pile(from, to int) {
	for i := from; i < to; i++ {
		w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
	}
}

func (w *world) wants(t *testing.T, when string, want int) {
	t.Helper()
	if got := w.replicasWanted(time.Now()); got != want {
		t.Errorf("%s: %d replicas are wanted, not %d", when, got, want)
	}
}

func TestReplicasWantedFollowTheLimitAndNotTheLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := busy(t, nil)
		w.wants(t, "with nothing to do", 1)
		w.pile(0, 1000)
		settle(10 * time.Second)
		w.wants(t, "with a backlog", 2)
		w.pile(1000, 10_000)
		settle(5 * time.Second)
		w.wants(t, "with ten times the backlog", 2)
		w.vendor.set(func() { w.vendor.delay = 300 * time.Millisecond })
		settle(30 * time.Second)
		w.wants(t, "with a quicker vendor", 1)
		w.vendor.set(func() { w.vendor.delay = 1200 * time.Millisecond })
		settle(30 * time.Second)
		w.wants(t, "with a slower vendor", 3)
		settle(10 * time.Minute)
		w.wants(t, "when all is done", 1)
		if err := w.shut(); err != nil {
			t.Error(err)
		}
	})
}

func TestFailedCallsWantNoReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := busy(t, nil)
		w.pile(0, 5000)
		settle(10 * time.Second)
		w.vendor.set(func() {
			w.vendor.delay = 20 * time.Second
			w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) {
				return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.Transient}
			}
		})
		settle(time.Minute)
		w.wants(t, "while the vendor is out", 2)
		if err := w.shut(); err != nil {
			t.Error(err)
		}
	})
}

func TestReplicasWantedFollowTheCPU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := busy(t, func(l *vendors.LaneConfig) { l.MaxInFlight = 100 })
		registry := prometheus.NewRegistry()
		registry.MustRegister(w.scalingGauge())
		// Each call takes as much CPU as lets 1.9 replicas make 60 a second.
		perCall := time.Duration(1.9 / 60 * cpuTarget * float64(runtime.GOMAXPROCS(0)) * float64(time.Second))
		calls := func() int64 { n, _ := w.lines[event.Argos].calling.get(); return n }
		w.cpu.used = func() time.Duration { return time.Duration(calls()) * perCall }
		w.pile(0, 5000)
		settle(5 * time.Second)
		w.wants(t, "at the first scrape", 1)
		settle(15 * time.Second)
		w.wants(t, "at the second", 2)
		if n, err := testutil.GatherAndCount(registry, "reauth_replicas_wanted"); n != 1 || err != nil {
			t.Errorf("%d gauges: %v", n, err)
		}
		if err := w.shut(); err != nil {
			t.Error(err)
		}
	})
}
