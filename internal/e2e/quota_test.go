package e2e

import (
	"testing"
	"time"
)

// chargedBetween returns how many calls were charged in a span of time.
func (w *world) chargedBetween(from, to time.Time) (n int) {
	for _, a := range w.Argos.Charged("") {
		if !a.At.Before(from) && a.At.Before(to) {
			n++
		}
	}
	return n
}

// eachSecond returns how many calls were charged in each second from a time on.
func (w *world) eachSecond(from, to time.Time) (counts []int) {
	for ; from.Before(to); from = from.Add(time.Second) {
		counts = append(counts, w.chargedBetween(from, from.Add(time.Second)))
	}
	return counts
}

// share returns which part of the allowed calls were made.
func (w *world) share(from, to time.Time, perSecond int) float64 {
	return float64(w.chargedBetween(from, to)) / (to.Sub(from).Seconds() * float64(perSecond))
}

// windows is how often a share of the quota is measured, at most, before it is
// believed to be too small. Other work on the machine can only lower it.
const windows = 8

func TestQuotaIsUsedAndNotExceeded(t *testing.T) {
	const perSecond = 50
	steady := sized(30*time.Second, 8*time.Second)
	w := newWorld(t, setting{sandbox: vendor(300*time.Millisecond, perSecond)})
	c := w.startWorking(1)[0]
	// Real brokers share the processors with what is measured.
	want, least := 0.97, sized(0.95, 0.97)
	asked, best := 0, 0.0
	for n := 0; n < sized(3, windows) && best < want; n++ {
		w.Argos.Reset()
		batch := approved(asked + int((steady+4*time.Second).Seconds()*perSecond))[asked:]
		asked += len(batch)
		w.ask(batch...)
		w.eventually(20*time.Second, "a second of calls", func() bool { return w.Argos.Stats().Charged > perSecond })
		from := time.Now()
		w.pass(steady)
		share := w.share(from, from.Add(steady), perSecond)
		counts := w.eachSecond(from, from.Add(steady))
		w.awaitResults(2 * time.Minute)
		stats := w.Argos.Stats()
		t.Logf("%.1f %% of the allowed calls in %s; at most %d in any second; %d refused; %v slots missed so far; by the second: %v",
			100*share, steady, stats.PeakPerSecond, stats.Refused, c.metric("reauth_slots_missed_total"), counts)
		if stats.Refused > 0 {
			t.Errorf("the vendor, counting sliding seconds, refused %d calls", stats.Refused)
		}
		if stats.Charged != len(batch) {
			t.Errorf("%d calls charged for %d requests", stats.Charged, len(batch))
		}
		best = max(best, share)
	}
	if best < least {
		t.Errorf("%.1f %% of the allowed calls were made at best, want at least %.0f %%", 100*best, 100*least)
	}
}
