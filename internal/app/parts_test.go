package app

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/config"
)

func TestScheduleOfAVendor(t *testing.T) {
	settings := config.Vendor{Limits: config.Limits{Rates: []config.Rate{{Count: 200000, Per: 24 * time.Hour}, {Count: 50, Per: time.Second}}}}
	for _, text := range []string{"sat/sun 22:00-06:00 Europe/Berlin 10/s", "08:00-18:00 UTC 50%", "18:00-18:30 UTC off"} {
		h, err := config.ParseHours(text)
		if err != nil {
			t.Fatal(err)
		}
		settings.Schedule = append(settings.Schedule, h)
	}
	for i, want := range []float64{10, 25, 0} {
		if got := schedule(settings)[i].PerSecond; got != want {
			t.Errorf("%s: %v calls a second, want %v", settings.Schedule[i], got, want)
		}
	}
}

func TestEveryVendorOfTheBuildHasAnAdapter(t *testing.T) {
	c := config.Default()
	c.Vendors.Argos.APIKey = config.NewSecret("a-key-for-the-test")
	c.Vendors.Faceki.Enabled, c.Vendors.Faceki.ClientID = true, "a-client"
	c.Vendors.Faceki.ClientSecret = config.NewSecret("a-secret-for-the-test")
	c.Vendors.Rekognition.Enabled = true
	c.Vendors.Checkout.Enabled, c.Vendors.Checkout.UserJourneyID = true, "usj_"+strings.Repeat("a", 26)
	c.Vendors.Checkout.SecretKey = config.NewSecret("sk_sbox_for_the_test")
	for _, version := range []string{config.FacekiV2, config.FacekiBlaze} {
		c.Vendors.Faceki.APIVersion = version
		adapters, err := Adapters(t.Context(), c, nil, prometheus.NewRegistry())
		if err != nil || len(adapters) != len(Vendors) {
			t.Errorf("%d adapters for %d vendors (%v)", len(adapters), len(Vendors), err)
		}
		for _, name := range Vendors {
			if adapters[name] == nil || adapters[name].Name() != name {
				t.Errorf("the adapter for %s is not its own", name)
			}
		}
	}
}

func TestOwnersOfTwoStartsDiffer(t *testing.T) {
	if first, second := owner("reauth"), owner("reauth"); first == second {
		t.Error("a restarted process would take its former claims for its own")
	}
}
