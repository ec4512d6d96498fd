package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/pipeline"
)

func TestPricesOfEnabledVendorsReachThePipeline(t *testing.T) {
	c := config.Default()
	c.Spend = config.Spend{Currency: "USD", PerDay: 5e6, PerCampaign: 7e6}
	c.Vendors.Argos.Prices = []config.Price{{Outcome: event.Approved, Amount: 100000}, {Outcome: event.Rejected, Amount: 50000}}
	c.Vendors.Faceki.Prices = []config.Price{{Outcome: event.Approved, Amount: 1}} // is not enabled
	want := pipeline.SpendConfig{
		Currency: "USD", PerDay: 5e6, PerCampaign: 7e6,
		Prices: map[event.Vendor]map[event.Outcome]event.Amount{event.Argos: {event.Approved: 100000, event.Rejected: 50000}},
	}
	if diff := cmp.Diff(want, pipelineConfig(c).Spend); diff != "" {
		t.Error(diff)
	}
}
