package faceki

import (
	"net/http"
	"testing"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

func TestConformance(t *testing.T) {
	answers := map[APIVersion][]vendortest.Answer{
		V2: {
			{Name: "approved", Handler: vendortest.Reply(200, vendortest.Golden(t, "v2_approved.json")), Outcome: event.Approved},
			{Name: "other person", Handler: vendortest.Reply(200, vendortest.Golden(t, "v2_other.json")), Outcome: event.Rejected},
			{Name: "no match", Handler: vendortest.Reply(200, vendortest.Golden(t, "v2_nomatch.json")), Outcome: event.Rejected},
			{Name: "no match with 404", Handler: vendortest.Reply(404, `{"responseCode":8013}`), Outcome: event.Rejected},
			{Name: "no face with 400", Handler: vendortest.Reply(400, vendortest.Golden(t, "v2_error.json")), Outcome: event.Unusable},
		},
		Blaze: {
			{Name: "approved", Handler: vendortest.Reply(200, vendortest.Golden(t, "blaze_approved.json")), Outcome: event.Approved},
			{Name: "other person", Handler: vendortest.Reply(200, vendortest.Golden(t, "blaze_other.json")), Outcome: event.Rejected},
			{Name: "no match", Handler: vendortest.Reply(200, vendortest.Golden(t, "blaze_nomatch.json")), Outcome: event.Rejected},
			{Name: "no face", Handler: vendortest.Reply(200, vendortest.Golden(t, "blaze_error.json")), Outcome: event.Unusable},
		},
	}
	for version, answers := range answers {
		t.Run(string(version), func(t *testing.T) {
			vendortest.Run(t, vendortest.Suite{
				New: func(target vendortest.Target) (vendors.Adapter, error) {
					return New(Config{
						BaseURL:      target.BaseURL,
						APIVersion:   version,
						ClientID:     "client-1",
						ClientSecret: func() (string, error) { return target.Secret, nil },
						Client:       target.Client,
					})
				},
				Answers: answers,
				Paid:    func(r *http.Request) bool { return r.URL.Path == generations[version].search },
				Free:    vendortest.Reply(200, vendortest.Golden(t, "token.json")),
				Call:    vendors.Call{SubmissionID: reference},
				Secrets: []string{"canary-token-5e0d", "CANARY-NAME", "CANARY-DOC", "1984-canary-05"},
				Statuses: map[int]vendortest.Want{
					// The first refusal of a token: see TestSecondRefusedTokenPausesTheLane
					http.StatusUnauthorized:          {Kind: vendors.Transient},
					http.StatusRequestTimeout:        {Kind: vendors.Transient, Unknown: true},
					http.StatusRequestEntityTooLarge: {Outcome: event.Unusable},
					http.StatusProxyAuthRequired:     {Kind: vendors.LaneFault},
				},
			})
		})
	}
}
