package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/vendors"
)

func TestRetriesKeepToTheirBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) {
			c.Retry.Budget, c.Retry.MaxAttempts, c.MaxOpen = 0.1, 4, 1000
			l.Breaker.Ratio = 1.1
		})
		w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, transient() }
		for i := range 600 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(30 * time.Second)
		retries := len(w.vendor.called()) - 600
		if most := budgetReserve + 60 + 30*budgetPerSecond + 1; retries > most || retries < budgetReserve {
			t.Errorf("%d retries in 30 s for 600 first attempts at a budget of a tenth", retries)
		}
		settle(time.Hour)
		if n := len(w.results()); n != 600 {
			t.Errorf("%d of 600 requests came to an end: retries must not starve", n)
		}
		w.shut()
	})
}
