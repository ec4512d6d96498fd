package e2e

import (
	"testing"
	"time"
)

func TestBrokerKilledWhileItLeads(t *testing.T) {
	c := theCluster(t)
	w := newWorld(t, setting{sandbox: vendor(300*time.Millisecond, 40)})
	w.ask(mixed(1500)...)
	w.startWorking(2)
	w.eventuallyCounts(30*time.Second, 100)

	_, coordinator, err := w.leaders(w.ctx, w.topics.Ledger, w.group)
	if err != nil {
		t.Fatal(err)
	}
	victim := coordinator%3 + 1 // leads, and is not the coordinator
	c.do("kill", victim)
	killed, before := time.Now(), w.results()
	w.eventually(time.Minute, "results again", func() bool { return w.results() > before+100 })
	t.Logf("broker %d killed: 100 more results within %s", victim, time.Since(killed).Round(100*time.Millisecond))
	c.do("revive", victim)

	c.do("kill", coordinator)
	killed, before = time.Now(), w.results()
	w.eventually(time.Minute, "results again", func() bool { return w.results() > before+100 })
	t.Logf("broker %d, the coordinator, killed: 100 more results within %s", coordinator, time.Since(killed).Round(100*time.Millisecond))
	c.do("revive", coordinator)
	w.awaitResults(2 * time.Minute)
	w.audit()
}
