package app

import (
	"testing"
	"time"

	"reauth/internal/config"
	"reauth/internal/event"
)

func TestEvenRateExceedsNoneOfTheLimits(t *testing.T) {
	rate := func(n int, per time.Duration) config.Rate { return config.Rate{Count: n, Per: per} }
	for name, c := range map[string]struct {
		limits config.Limits
		want   float64
	}{
		"none":            {config.Limits{None: true}, 0},
		"one":             {config.Limits{Rates: []config.Rate{rate(50, time.Second)}}, 50},
		"minute":          {config.Limits{Rates: []config.Rate{rate(300, time.Minute)}}, 5},
		"the smaller one": {config.Limits{Rates: []config.Rate{rate(10, time.Second), rate(300, time.Minute)}}, 5},
	} {
		if got := perSecond(c.limits); got != c.want {
			t.Errorf("%s: %v calls per second, want %v", name, got, c.want)
		}
	}
}

func TestEveryVendorOfTheBuildHasAnAdapter(t *testing.T) {
	c := config.Default()
	c.Vendors.Argos.APIKey = config.NewSecret("a-key-for-the-test")
	adapters, err := Adapters(c)
	if err != nil || len(adapters) != len(Vendors) || adapters[event.Argos] == nil {
		t.Errorf("%d adapters for %d vendors (%v)", len(adapters), len(Vendors), err)
	}
	c.Vendors.Faceki.Enabled = true
	if _, err := Adapters(c); err == nil {
		t.Error("a vendor without an adapter is accepted")
	}
}

func TestOwnersOfTwoStartsDiffer(t *testing.T) {
	if first, second := owner("reauth"), owner("reauth"); first == second {
		t.Error("a restarted process would take its former claims for its own")
	}
}
