package e2e

import (
	"math/rand/v2"
	"testing"
	"time"

	"reauth/internal/sandbox"
	"reauth/internal/sandbox/fault"
)

// vendor makes a simulator that takes so long and allows so many calls a second.
func vendor(latency time.Duration, perSecond int) func(*sandbox.Options) {
	return func(o *sandbox.Options) {
		o.Argos.Latency = fault.Fixed(latency)
		o.Argos.PerSecond = perSecond
	}
}

func TestKilledConsumersLoseNothingAndPayNothingTwice(t *testing.T) {
	long(t)
	concurrently(t)
	requests, kills := sized(5000, 400), sized(10, 2)
	w := newWorld(t, setting{sandbox: vendor(300*time.Millisecond, sized(75, 40))})
	w.ask(mixed(requests)...)
	alive := w.startWorking(3)
	for n := range kills {
		// After a kill the group waits for the dead member's session to run
		// out. Every other kill hits it while it does, the others at work.
		// The Kafka in memory (kfake of 2026-09-18) never lets go of a member
		// that dies with a join under way: there it must be at work.
		atWork := n%2 == 0 || !realKafka
		if atWork {
			w.eventually(time.Minute, "all shards and some calls under way", func() bool {
				return ownedBy(alive) == shards && w.Argos.Stats().InFlight > 2
			})
		}
		w.pass(100*time.Millisecond + rand.N(2*time.Second))
		if w.results() >= requests {
			t.Fatalf("the campaign was over after %d kills: it is too small for this machine", n)
		}
		victim := rand.IntN(len(alive))
		if atWork {
			w.eventually(time.Minute, "somebody at the vendor to be killed", func() bool {
				victim = rand.IntN(len(alive))
				return w.results() >= requests || alive[victim].metric("reauth_vendor_calls_in_flight") > 1
			})
		}
		t.Logf("killing %s with %d calls at the vendor and %d of %d results out", alive[victim].name, w.Argos.Stats().InFlight, w.results(), requests)
		alive[victim].kill()
		alive[victim] = w.start()
	}
	w.awaitResults(5 * time.Minute)
	w.audit()
	unknown := 0.0
	for _, c := range alive {
		unknown += c.metric(`reauth_unknown_outcomes_total{resolution="found"`)
	}
	stats := w.Argos.Stats()
	t.Logf("%d calls, %d charged, %d duplicates, %d lists; %v lost answers found by those alive at the end", stats.Calls, stats.Charged, stats.Duplicates, stats.Lists, unknown)
	if stats.Refused > 0 {
		t.Errorf("the vendor refused %d calls as too many", stats.Refused)
	}
	if stats.Lists == 0 {
		t.Error("no call's outcome was unknown: the kills came at harmless moments only")
	}
}
