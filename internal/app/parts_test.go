package app

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/config"
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
	c.Vendors.Faceki.Enabled, c.Vendors.Faceki.ClientID = true, "a-client"
	c.Vendors.Faceki.ClientSecret = config.NewSecret("a-secret-for-the-test")
	for _, version := range []string{config.FacekiV2, config.FacekiBlaze} {
		c.Vendors.Faceki.APIVersion = version
		adapters, err := Adapters(c, prometheus.NewRegistry())
		if err != nil || len(adapters) != len(Vendors) {
			t.Errorf("%d adapters for %d vendors (%v)", len(adapters), len(Vendors), err)
		}
		for _, name := range Vendors {
			if adapters[name] == nil || adapters[name].Name() != name {
				t.Errorf("the adapter for %s is not its own", name)
			}
		}
	}
	c.Vendors.Checkout.Enabled = true
	if _, err := Adapters(c, nil); err == nil {
		t.Error("a vendor without an adapter is accepted")
	}
}

func TestOwnersOfTwoStartsDiffer(t *testing.T) {
	if first, second := owner("reauth"), owner("reauth"); first == second {
		t.Error("a restarted process would take its former claims for its own")
	}
}
