package e2e

import (
	"testing"
	"time"
)

func TestRollingRestartKeepsTheQuotaInUse(t *testing.T) {
	long(t)
	const perSecond = 50
	// What passes in a cluster from one replaced pod to the next: scheduling,
	// and a readiness probe or two. Each costs the same few slots, so that with
	// less time between them there must be less to ask for.
	between, want := sized(12*time.Second, 3*time.Second), sized(0.95, 0.93)
	// On machines whose processors the brokers, the simulators and the starting
	// consumers share, some slots are missed all through: less than this is more
	// than that.
	const least = 0.88
	w := newWorld(t, setting{sandbox: vendor(300*time.Millisecond, perSecond)})
	w.ask(approved(100)...)
	running := w.startWorking(3)
	share, best := 0.0, 0.0
	for n := 0; n < sized(2, windows) && share < want; n++ {
		asked := len(w.campaign.asked)
		w.ask(approved(asked + sized(2900, 1100))[asked:]...)
		w.eventually(20*time.Second, "a second of calls", func() bool { return w.Argos.Stats().Charged > asked })
		share, running = w.restart(running, between, perSecond)
		best = max(best, share)
		w.awaitResults(4 * time.Minute)
	}
	w.audit()
	kept := 0
	for _, c := range w.consumers {
		for _, e := range c.log.said("generation started") {
			if shards, ok := e.facts["kept"].([]any); ok && e.facts["open"] != 0.0 {
				kept += len(shards)
			}
		}
	}
	stats := w.Argos.Stats()
	t.Logf("%d times a shard with open requests worked on through a rebalance; %d calls, %d charged, %d lists; at most %d in any second, %d refused",
		kept, stats.Calls, stats.Charged, stats.Lists, stats.PeakPerSecond, stats.Refused)
	t.Logf("%.1f %% of the allowed calls at best; %.0f %% is the aim", 100*best, 100*want)
	if best < least {
		t.Errorf("%.1f %% of the allowed calls were made over the restart, want at least %.0f %%", 100*best, 100*least)
	}
	if kept == 0 {
		t.Error("no log says that a shard with open requests worked on through a rebalance")
	}
}

// restart replaces consumers one by one, as a Deployment does it: the new one is
// ready before the old one goes. It returns the share of the allowed calls that
// were made meanwhile.
func (w *world) restart(old []*consumer, between time.Duration, perSecond int) (share float64, young []*consumer) {
	w.t.Helper()
	from := time.Now()
	for _, c := range old {
		next := w.start()
		w.eventually(time.Minute, "the new consumer ready", func() bool {
			status, _ := next.ask("/readyz")
			return status == 200 && next.metric("reauth_shards_owned") > 0
		})
		young = append(young, next)
		c.stop()
		w.pass(between)
	}
	to := time.Now()
	if w.results() >= len(w.campaign.asked) {
		w.t.Fatal("the campaign was over before the restart: it is too small for this machine")
	}
	if owned := ownedBy(young); owned != shards {
		w.t.Errorf("the new consumers own %d of %d shards", owned, shards)
	}
	share = w.share(from, to, perSecond)
	w.t.Logf("%.1f %% of the allowed calls over a restart of %s; by the second: %v", 100*share, to.Sub(from).Round(time.Millisecond), w.eachSecond(from, to))
	return share, young
}
