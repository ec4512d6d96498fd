package argos

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
			return New(Config{
				BaseURL: target.BaseURL + "/v3",
				APIKey:  func() (string, error) { return target.Secret, nil },
				Client:  target.Client,
			})
		},
		Answers: []vendortest.Answer{
			{Name: "approved", Handler: vendortest.Reply(200, vendortest.Golden(t, "approved.json")), Outcome: event.Approved},
			{Name: "rejected", Handler: vendortest.Reply(200, vendortest.Golden(t, "rejected.json")), Outcome: event.Rejected},
			{Name: "rejected with 400", Handler: vendortest.Reply(400, vendortest.Golden(t, "rejected.json")), Outcome: event.Rejected},
			{Name: "no face", Handler: vendortest.Reply(400, vendortest.Golden(t, "error_code.json")), Outcome: event.Unusable},
			{Name: "submission unknown", Handler: vendortest.Reply(200, vendortest.Golden(t, "error_text.json")), Outcome: event.Ineligible},
		},
		Call: vendors.Call{SubmissionID: "sub-1"},
		Statuses: map[int]vendortest.Want{
			http.StatusRequestTimeout:        {Kind: vendors.Transient, Unknown: true},
			http.StatusRequestEntityTooLarge: {Outcome: event.Unusable},
			http.StatusProxyAuthRequired:     {Kind: vendors.LaneFault},
			http.StatusConflict:              {Kind: vendors.Unexplained},
		},
	})
}
