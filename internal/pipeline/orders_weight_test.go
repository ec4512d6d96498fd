package pipeline

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

func TestSharesFollowTheWeightsOfOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) { c.MaxOpen, l.Windows = 1000, perSecond(50) })
		w.topics.give(orderOf(ledger.Weight, "heavy", 3))
		settle(time.Second)
		for i := range 600 {
			w.send(i%3, fmt.Sprint("a-", i), fmt.Sprint("heavy-", i), ofCamp("heavy"))
		}
		for i := range 600 {
			w.send(i%3, fmt.Sprint("b-", i), fmt.Sprint("light-", i), ofCamp("light"))
			w.send(i%3, fmt.Sprint("c-", i), fmt.Sprint("none-", i))
		}
		settle(10 * time.Second)
		share := func() map[string]int {
			n := map[string]int{}
			for _, subject := range w.vendor.called() {
				n[strings.SplitN(subject, "-", 2)[0]]++
			}
			return n
		}
		first := share()
		if all := len(w.vendor.called()); all < 450 {
			t.Fatalf("%d calls in 10 s at 50/s", all)
		}
		third := float64(first["heavy"]) / 3
		for _, light := range []string{"light", "none"} {
			// What was begun before the others were fetched goes first.
			if n := float64(first[light]); n < third*.75 || n > third*1.1 {
				t.Errorf("calls %v, want 3:1:1", first)
			}
		}
		w.topics.give(orderOf(ledger.Weight, "heavy", 1))
		settle(10 * time.Second)
		then := share()
		for _, c := range []string{"heavy", "light", "none"} {
			if n := then[c] - first[c]; n < 140 || n > 185 {
				t.Errorf("%d calls of %s in ten seconds, want a third of 490", n, c)
			}
		}
		w.shut()
	})
}

// A campaign that was given next to nothing has waited for its turn, and must not
// wait on once it is given more.
func TestWeightHoldsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.Windows = perSecond(20) })
		w.topics.give(orderOf(ledger.Weight, "slow", .01))
		settle(time.Second)
		for i := range 150 {
			w.send(i%3, fmt.Sprint("a-", i), fmt.Sprint("slow-", i), ofCamp("slow"))
			w.send(i%3, fmt.Sprint("b-", i), fmt.Sprint("other-", i), ofCamp("other"))
		}
		settle(3 * time.Second)
		slow := func() (n int) {
			for _, subject := range w.vendor.called() {
				if strings.HasPrefix(subject, "slow-") {
					n++
				}
			}
			return n
		}
		if n := slow(); n > 12 {
			t.Errorf("%d calls of a campaign of weight 0.01 in three seconds", n)
		}
		w.topics.give(orderOf(ledger.Weight, "slow", 1))
		before := slow()
		settle(3 * time.Second)
		if n := slow() - before; n < 20 {
			t.Errorf("%d of some 60 calls are of a campaign of half the weight", n)
		}
		w.shut()
	})
}
