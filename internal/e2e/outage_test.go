package e2e

import (
	"testing"
	"time"

	"reauth/internal/sandbox/argossim"
	"reauth/internal/sandbox/fault"
)

// turn changes the vendor's knobs.
func (w *world) turn(change func(*argossim.Knobs)) {
	w.t.Helper()
	err := w.Argos.Adjust(func(k *argossim.Knobs) error {
		change(k)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestVendorOutageIsWaitedOut(t *testing.T) {
	const perSecond = 50
	long(t)
	outage := sized(2*time.Minute, 6*time.Second)
	w := newWorld(t, setting{
		sandbox: vendor(300*time.Millisecond, perSecond),
		// breaker.open stays as it is, 15 s: the return is seen long before it ends.
		environ: []string{"REAUTH_BREAKER__WINDOW=5s", "REAUTH_RETRY__MAX=5s"},
	})
	w.ask(approved(sized(1200, 650))...)
	consumers := w.startWorking(2)
	w.eventually(20*time.Second, "a second of calls", func() bool { return w.Argos.Stats().Charged > perSecond })
	generations := func() (n int) {
		for _, c := range consumers {
			n += len(c.log.said("generation started"))
		}
		return n
	}
	generationsBefore := generations()

	w.turn(func(k *argossim.Knobs) { k.Outage = fault.Refuse })
	w.pass(3 * time.Second) // in which all memory has been taken that will be
	var residentBefore, residentAfter int64
	for _, c := range consumers {
		residentBefore += c.resident()
	}
	w.pass(outage - 3*time.Second)
	for _, c := range consumers {
		residentAfter += c.resident()
	}
	hits := w.Argos.Stats().Outage
	w.turn(func(k *argossim.Knobs) { k.Outage = fault.NoOutage })
	back := time.Now()

	w.pass(9 * time.Second)
	share := w.share(back.Add(2*time.Second), back.Add(9*time.Second), perSecond)
	if left := len(w.campaign.asked) - w.Argos.Stats().Charged; left < perSecond {
		t.Fatalf("%d requests were left when the rate was measured: the campaign is too small", left)
	}
	w.awaitResults(4 * time.Minute)
	w.audit()
	stats := w.Argos.Stats()
	t.Logf("%d calls hit the outage of %s; memory of two consumers %d MiB before its end, %d MiB after its begin; %.1f %% of the allowed calls from 2 s after it on; %d calls refused",
		hits, outage, residentAfter>>20, residentBefore>>20, 100*share, stats.Refused)
	if extra := generations() - generationsBefore; extra != 0 {
		t.Errorf("%d generations during the outage: membership was not kept", extra)
	}
	if grown := residentAfter - residentBefore; grown > 16<<20 {
		t.Errorf("memory grew by %d MiB during the outage", grown>>20)
	}
	if share < 0.9 {
		t.Errorf("%.1f %% of the allowed calls 2 to 9 s after the vendor's return, want the full rate", 100*share)
	}
}
