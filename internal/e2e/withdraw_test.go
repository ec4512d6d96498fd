package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/sandbox"
)

// withdraw takes requests back by the command; they are to end so. They need not
// have been published.
func (w *world) withdraw(requests []event.Request) {
	w.t.Helper()
	var ids strings.Builder
	for _, r := range requests {
		ids.WriteString(r.RequestID + "\n")
	}
	file := filepath.Join(w.t.TempDir(), "withdrawn.txt")
	if err := os.WriteFile(file, []byte(ids.String()), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.producer("withdraw", "--from", file, "--reason", "left the platform")
}

// expectWithdrawn notes that requests are to end as withdrawn, and for nothing.
func (w *world) expectWithdrawn(requests []event.Request) {
	for _, r := range requests {
		a := w.campaign.asked[r.RequestID]
		a.expect = sandbox.Expectation{Outcome: event.Withdrawn, Reasons: []event.Reason{event.WithdrawnBy}}
		w.campaign.asked[r.RequestID] = a
	}
}

// inForce returns how many orders of each kind the command lists.
func (w *world) inForce() map[ledger.OrderKind]int {
	w.t.Helper()
	var said struct{ Orders []ledger.Order }
	w.producer("orders", "--output", "json").json(&said)
	kinds := map[ledger.OrderKind]int{}
	for _, o := range said.Orders {
		kinds[o.Kind]++
	}
	return kinds
}

// awaitFirstResult returns at once when there is a result event, or when the scenario
// ends.
func (w *world) awaitFirstResult() {
	for {
		w.observer.mu.Lock()
		found, more := len(w.records[w.topics.Results]) > 0, w.more
		w.observer.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-w.ctx.Done():
			return
		}
	}
}

// The first are taken back from a consumer that is killed while it ends them, the
// next while nobody runs, and the last before they are published.
func TestWithdrawnRequestsAreNotCalledWhoeverIsKilled(t *testing.T) {
	long(t)
	concurrently(t)
	w := newWorld(t, setting{sandbox: vendor(100*time.Millisecond, 0)})
	all := approved(sized(3000, 1200))
	take := func(n int) (taken []event.Request) {
		taken, all = all[:n], all[n:]
		return taken
	}
	first, next, last := take(sized(1500, 800)), take(sized(500, 150)), take(20)
	rest := all

	doomed := w.startWorking(1)[0]
	w.producer("pause", "--vendor", "argos")
	w.ask(first...)
	w.ask(next...)
	w.ask(rest...)
	w.eventually(30*time.Second, "the requests with the consumer", func() bool {
		return int(doomed.metric("reauth_requests_total")) == len(first)+len(next)+len(rest)
	})
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		w.awaitFirstResult()
		doomed.kill()
	}()
	w.withdraw(first)
	<-killed
	if err := w.catchUp(w.ctx, w.topics.Results); err != nil {
		t.Fatal(err)
	}
	t.Logf("killed with %d of %d withdrawn requests at their end, %d of them not committed", w.results(), len(first), w.uncommitted())
	w.withdraw(next)
	w.withdraw(last)

	heir := w.startWorking(1)[0]
	w.ask(last...)
	withdrawn := 0
	for _, taken := range [][]event.Request{first, next, last} {
		w.expectWithdrawn(taken)
		withdrawn += len(taken)
	}
	w.eventuallyCounts(time.Minute, withdrawn)
	if got := w.inForce(); got[ledger.Pause] != 1 || got[ledger.Withdraw] < 3 {
		t.Errorf("orders in force: %v", got)
	}
	if stats := w.Argos.Stats(); stats.Calls != 0 || w.results() != withdrawn {
		t.Errorf("%d calls and %d results while the vendor is paused", stats.Calls, w.results())
	}
	w.producer("resume", "--vendor", "argos")
	w.awaitResults(3 * time.Minute)
	w.audit()
	if stats := w.Argos.Stats(); stats.Calls != len(rest) {
		t.Errorf("%d calls for %d requests that were not withdrawn", stats.Calls, len(rest))
	}
	heir.stop()
}
