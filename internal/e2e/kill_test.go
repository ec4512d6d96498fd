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

// A request at the vendor keeps the records behind it from being committed, so
// that whoever takes over reads them again.
func TestKilledAfterADeadLetterAndBeforeItsCommitWritesNoSecond(t *testing.T) {
	concurrently(t)
	const call = 5 * time.Second
	w := newWorld(t, setting{sandbox: vendor(call, 0), environ: []string{
		"REAUTH_VENDORS__ARGOS__TIMEOUT=6s", "REAUTH_BREAKER__SLOW_CALL=5s"}})
	first := w.startWorking(1)[0]
	slow := request(0, "approve", "8KB.jpg")
	w.ask(slow)
	w.eventually(20*time.Second, "the call", func() bool { return w.Argos.Stats().InFlight == 1 })
	w.publishInvalid("bad before", slow.RequestID, "bad before")
	w.publishInvalid("bad too", slow.RequestID, "bad too")
	w.eventually(call-time.Second, "two dead letters", func() bool { return first.metric("reauth_dead_letters_total") == 2 })
	first.kill()
	committed, err := w.committed(w.ctx, w.group)
	if err != nil {
		t.Fatal(err)
	}
	at := w.sourceOf(slow.RequestID)
	if next := committed[at.Topic][at.Partition]; next > at.Offset {
		t.Fatalf("%d was committed before the kill: the records behind %d will not be read again", next, at.Offset)
	}
	w.publishInvalid("bad after", slow.RequestID, "bad after")
	second := w.startWorking(1)[0]
	w.awaitResults(time.Minute)
	w.audit()
	if n := len(second.log.said("dead letter is there already")); n != 2 {
		t.Errorf("the second consumer found %d dead letters, want both of the first's", n)
	}
}
