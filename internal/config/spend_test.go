package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

// priced returns settings without a fault, with prices and caps.
func priced(change func(*Config)) Config {
	c := valid()
	c.Vendors.Argos.Prices = []Price{{event.Approved, 100000}, {event.Rejected, 50000}}
	c.Spend.PerDay, c.Spend.PerCampaign = 100e6, 1000e6
	change(&c)
	return c
}

func TestPricesAndCapsAreRead(t *testing.T) {
	src := source(t, `
spend: {currency: USD, per_day: 2500, per_campaign: "10.000001"}
vendors: {argos: {prices: ["approved=0.10", "rejected = 0.05"]}}
`)
	c := load(t, src)
	want := Spend{Currency: "USD", PerDay: 2500e6, PerCampaign: 10000001}
	if diff := cmp.Diff(want, c.Spend); diff != "" {
		t.Error(diff)
	}
	prices := map[event.Outcome]event.Amount{event.Approved: 100000, event.Rejected: 50000}
	if diff := cmp.Diff(prices, c.Vendors.Argos.PriceOf()); diff != "" {
		t.Error(diff)
	}
	if got := c.Vendors.Argos.Prices[0].String(); got != "approved=0.10" {
		t.Errorf("a price is shown as %s", got)
	}
}

func TestCapsThatCannotBeHeld(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"fine": {func(*Config) {}, nil},
		"nothing has a price": {func(c *Config) {
			c.Vendors.Argos.Prices = []Price{{event.Approved, 0}}
			c.Vendors.Faceki.Prices = []Price{{event.Approved, 1}} // is not enabled
		}, []string{
			"spend.per_day: no enabled vendor has a price, so nothing is counted; give vendors.argos.prices, or 0 here",
			"spend.per_campaign: no enabled vendor has a price, so nothing is counted; give vendors.argos.prices, or 0 here",
		}},
		"a day is longer than the ledger remembers": {func(c *Config) { c.Ledger.Window = 23 * time.Hour },
			[]string{"ledger.window: 23h is too short to count for spend.per_day; give at least 24h"}},
		"a window that may pass without a summary": {func(c *Config) { c.Spend.PerDay, c.Ledger.Window = 0, time.Hour },
			[]string{"ledger.window: 1h is too short to count for spend.per_campaign; give at least 2h"}},
		"a short window without caps": {func(c *Config) { c.Spend.PerDay, c.Spend.PerCampaign, c.Ledger.Window = 0, 0, time.Minute }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := priced(tc.change)
			var got []string
			if err := c.Validate(event.Argos); err != nil {
				got = faultsOf(t, Source{File: "config.yaml"}, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCapsThatHoldOtherwiseThanTheySeem(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"a share below a price": {func(c *Config) { c.Spend.PerDay = 1e6 },
			"spend.per_day: a share of 0.083333 for each of 12 partitions is less than a call of argos may cost, 0.10: it is never spent; give more"},
		"a vendor without prices": {func(c *Config) { c.Vendors.Rekognition.Enabled, c.Vendors.Rekognition.Limits.None = true, true },
			"vendors.rekognition.prices: without prices the vendor's calls are not counted, and no cap of spend holds them back; give prices"},
	} {
		t.Run(name, func(t *testing.T) {
			c := priced(tc.change)
			var got []string
			for _, f := range c.Warnings() {
				got = append(got, f.Error())
			}
			if diff := cmp.Diff([]string{tc.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if c := priced(func(*Config) {}); len(c.Warnings()) > 0 {
		t.Errorf("warnings %v", c.Warnings())
	}
}
