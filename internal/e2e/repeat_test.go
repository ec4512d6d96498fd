package e2e

import (
	"testing"
	"time"
)

func TestRepeatedRequestIsCalledAndAnsweredOnce(t *testing.T) {
	concurrently(t)
	w := newWorld(t, setting{sandbox: vendor(time.Second, 0)})
	one := approved(1)
	w.ask(one...) // before its call
	w.ask(one...)
	first := w.startWorking(1)[0]
	w.eventually(20*time.Second, "the call", func() bool { return w.Argos.Stats().InFlight == 1 })
	w.ask(one...) // during its call
	w.awaitResults(20 * time.Second)
	w.ask(one...) // after its call
	w.awaitCommitted(20 * time.Second)
	if n := first.metric("reauth_duplicates_total"); n != 3 {
		t.Errorf("the first consumer counts %v duplicates, want 3", n)
	}

	first.stop()
	w.ask(one...) // to another consumer
	second := w.startWorking(1)[0]
	w.awaitCommitted(20 * time.Second)
	if n := second.metric("reauth_duplicates_total"); n != 1 {
		t.Errorf("the second consumer counts %v duplicates, want 1", n)
	}
	w.audit()
	if calls := w.Argos.Stats().Calls; calls != 1 {
		t.Errorf("the vendor was called %d times, want once", calls)
	}
}
