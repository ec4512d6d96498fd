package rekognition

import (
	"net/http"
	"testing"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

func TestConformance(t *testing.T) {
	vendortest.Run(t, vendortest.Suite{
		New: func(target vendortest.Target) (vendors.Adapter, error) {
			return New(config(func(c *Config) {
				c.BaseURL, c.Client, c.Sign = target.BaseURL, target.Client, signAs(target.Secret)
			}))
		},
		Answers: []vendortest.Answer{
			{Name: "matched", Handler: vendortest.Reply(200, vendortest.Golden(t, "matched.json")), Outcome: event.Approved},
			{Name: "below the threshold", Handler: vendortest.Reply(200, vendortest.Golden(t, "below.json")), Outcome: event.Rejected},
			{Name: "unmatched", Handler: vendortest.Reply(200, vendortest.Golden(t, "unmatched.json")), Outcome: event.Rejected},
			{Name: "two faces", Handler: vendortest.Reply(200, vendortest.Golden(t, "two.json")), Outcome: event.Unusable},
			{Name: "no face that is good enough", Handler: vendortest.Reply(200, vendortest.Golden(t, "filtered.json")), Outcome: event.Unusable},
			{Name: "no face", Handler: vendortest.Reply(400, vendortest.Golden(t, "noface.json")), Outcome: event.Unusable},
			{Name: "no reference", Handler: vendortest.Reply(400, vendortest.Golden(t, "noreference.json")), Outcome: event.Ineligible},
		},
		Call:      call(nil),
		Secrets:   []string{"portraits/4711", "customer-4711"},
		MaxSelfie: maxSelfie,
		Statuses: map[int]vendortest.Want{
			http.StatusRequestTimeout:        {Kind: vendors.Transient, Unknown: true},
			http.StatusRequestEntityTooLarge: {Outcome: event.Unusable},
			http.StatusProxyAuthRequired:     {Kind: vendors.LaneFault},
		},
	})
}
