package e2e

import (
	"testing"
	"time"

	"reauth/internal/sandbox/s3sim"
)

func TestFaultsOfTheNetworkToStoreAndVendor(t *testing.T) {
	long(t)
	concurrently(t)
	w := newWorld(t, setting{
		sandbox: vendor(100*time.Millisecond, 60),
		environ: []string{
			"REAUTH_RETRY__INITIAL=200ms", "REAUTH_RETRY__MAX=2s", "REAUTH_RETRY__BUDGET=0.9", "REAUTH_RETRY__MAX_ATTEMPTS=50",
			"REAUTH_BREAKER__OPEN=500ms", "REAUTH_BREAKER__WINDOW=5s", "REAUTH_SELFIES__TIMEOUT=2s", "REAUTH_LEDGER__MARGIN=2s",
		},
	})
	store, argos := w.proxyHTTP()
	w.ask(approved(sized(3000, 1100))...)
	w.startWorking(2)
	w.eventuallyCounts(30*time.Second, 40)
	length := sized(4*time.Second, 1500*time.Millisecond)
	for _, fault := range []struct {
		name  string
		apply func() (cure func())
	}{
		{"latency to the store", func() func() {
			return store.poison("slow", `"type":"latency","attributes":{"latency":400,"jitter":200}`)
		}},
		{"latency to the vendor", func() func() {
			return argos.poison("slow", `"type":"latency","attributes":{"latency":400,"jitter":200}`)
		}},
		{"resets by the store", func() func() {
			return store.poison("reset", `"type":"reset_peer","toxicity":0.5,"attributes":{"timeout":10}`)
		}},
		{"resets by the vendor", func() func() {
			return argos.poison("reset", `"type":"reset_peer","toxicity":0.5,"attributes":{"timeout":150}`)
		}},
		{"a store that is a black hole", func() func() { return store.poison("hole", `"type":"timeout","attributes":{"timeout":0}`) }},
		{"a vendor whose answers get lost", func() func() { return argos.poison("hole", `"type":"timeout","attributes":{"timeout":0}`) }},
		{"a store that says SlowDown", func() func() {
			return w.slowDown(0.5)
		}},
	} {
		if w.results() == len(w.campaign.asked) {
			t.Fatalf("the campaign was over before %s: it is too small for this machine", fault.name)
		}
		cure := fault.apply()
		w.pass(length)
		cure()
		before := w.results()
		w.eventually(time.Minute, "results again after "+fault.name, func() bool {
			return w.results() > before+5 || w.results() == len(w.campaign.asked)
		})
	}
	w.awaitResults(2 * time.Minute)
	w.audit()
	stats := w.Argos.Stats()
	if w.S3.Stats().SlowDown == 0 {
		t.Error("the store never said SlowDown")
	}
	t.Logf("%d calls, %d charged, %d duplicates, %d lists; the store said SlowDown %d times", stats.Calls, stats.Charged, stats.Duplicates, stats.Lists, w.S3.Stats().SlowDown)
}

// slowDown has the store refuse a share of the requests; what is returned ends it.
func (w *world) slowDown(share float64) (end func()) {
	set := func(share float64) {
		err := w.S3.Adjust(func(k *s3sim.Knobs) error {
			k.SlowDownRate = share
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	set(share)
	return func() { set(0) }
}

func TestFaultsOfTheNetworkToKafka(t *testing.T) {
	long(t)
	if realKafka {
		theCluster(t)
	} else {
		concurrently(t)
	}
	w := newWorld(t, setting{proxied: true, sandbox: vendor(200*time.Millisecond, 60)})
	brokers := w.proxyBrokers()
	all := func(name, toxic string) (cure func()) {
		var cures []func()
		for _, b := range brokers {
			cures = append(cures, b.poison(name, toxic))
		}
		return func() {
			for _, c := range cures {
				c()
			}
		}
	}
	w.ask(mixed(600)...)
	w.startWorking(2)
	w.eventuallyCounts(30*time.Second, 40)
	for _, toxic := range []string{
		`"type":"latency","attributes":{"latency":150,"jitter":100}`,
		`"type":"reset_peer","toxicity":0.3,"attributes":{"timeout":100}`,
		`"type":"timeout","attributes":{"timeout":0}`,
	} {
		cure := all("fault", toxic)
		w.pass(2 * time.Second)
		cure()
		before := w.results()
		w.eventually(time.Minute, "results again after "+toxic, func() bool {
			return w.results() > before+5 || w.results() == len(w.campaign.asked)
		})
	}
	w.awaitResults(2 * time.Minute)
	w.audit()
}
