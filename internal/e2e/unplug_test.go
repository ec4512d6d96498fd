package e2e

import (
	"testing"
	"time"
)

func TestKafkaUnpluggedWhileCallsAreInFlight(t *testing.T) {
	long(t)
	if !realKafka {
		concurrently(t)
	}
	t.Run("frozen", func(t *testing.T) {
		c := theCluster(t)
		unplug(t, newUnplugWorld(t, false), time.Minute, func() { c.do("freeze") }, func() { c.do("thaw") })
	})
	t.Run("killed", func(t *testing.T) {
		c := theCluster(t)
		unplug(t, newUnplugWorld(t, false), 15*time.Second, func() { c.do("kill", 1, 2, 3) }, func() { c.do("revive", 1, 2, 3) })
	})
	t.Run("cut off", func(t *testing.T) {
		if realKafka {
			theCluster(t)
		}
		w := newUnplugWorld(t, true)
		brokers := w.proxyBrokers()
		unplug(t, w, 8*time.Second, func() {
			for _, b := range brokers {
				b.stop()
			}
		}, func() {
			for _, b := range brokers {
				b.start()
			}
		})
	})
}

func newUnplugWorld(t *testing.T, proxied bool) *world {
	t.Helper()
	return newWorld(t, setting{proxied: proxied, sandbox: vendor(500*time.Millisecond, 40)})
}

func unplug(t *testing.T, w *world, outage time.Duration, pull, plug func()) {
	t.Helper()
	w.ask(mixed(sized(800, 400))...)
	consumers := w.startWorking(2)
	w.eventuallyCounts(30*time.Second, 100)
	inFlight := w.Argos.Stats().InFlight
	pull()
	w.pass(time.Second)
	early := w.Argos.Stats().Calls
	w.pass(outage - time.Second)
	stats := w.Argos.Stats()
	t.Logf("%d calls were in flight; %d calls were made from 1 s after the plug was pulled until %s", inFlight, stats.Calls-early, outage)
	plug()
	back := time.Now()
	before := w.results()
	w.eventually(time.Minute, "results again", func() bool { return w.results() > before+20 })
	t.Logf("results again %s after the return", time.Since(back).Round(100*time.Millisecond))
	w.awaitResults(3 * time.Minute)
	for _, c := range consumers {
		if !c.alive() {
			t.Errorf("%s ended: %v", c.name, c.err)
		}
	}
	w.audit()
}
