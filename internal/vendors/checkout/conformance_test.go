package checkout

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// TestConformance runs the kit on each kind of step, as if it were the only one.
func TestConformance(t *testing.T) {
	static := func(target vendortest.Target) (vendors.Adapter, error) {
		return New(Config{
			BaseURL: target.BaseURL, UserJourneyID: journey, Client: target.Client,
			SecretKey: func() (string, error) { return target.Secret, nil },
		})
	}
	kept := state{ID: "fav_1", Until: time.Now().Add(time.Hour).UnixMilli(), Attempt: "fatp_1", LinkEnd: time.Now().Add(time.Hour).UnixMilli()}
	in := func(next step, unsure bool) vendors.Call {
		c := theCall()
		s := kept
		s.Next = next
		c.State, c.Unsure = s.text(), unsure
		return c
	}
	// A 404 about an id of the vendor's own that may be a proxy's.
	gone := map[int]vendortest.Want{http.StatusNotFound: {Kind: vendors.Unexplained}}
	pending := func(name string, status int, file string) vendortest.Answer {
		return vendortest.Answer{Name: name, Handler: vendortest.Reply(status, vendortest.Golden(t, file)), Pending: true}
	}
	for name, s := range map[string]vendortest.Suite{
		"start": {
			Answers: []vendortest.Answer{
				pending("created", 201, "created.json"),
				pending("created with 200", 200, "created.json"),
				{Name: "applicant unknown", Handler: vendortest.Reply(422, vendortest.Golden(t, "error_applicant.json"))},
			},
			Call: theCall(),
		},
		"invite": {
			Answers: []vendortest.Answer{
				pending("attempt", 201, "attempt.json"),
				pending("in no state for one", 409, "error_conflict.json"),
			},
			Call:     in(stepInvite, false),
			Statuses: gone,
		},
		"find": {
			Answers:  []vendortest.Answer{pending("attempts", 200, "attempts.json")},
			Call:     in(stepInvite, true),
			Statuses: gone, ReadOnly: true,
		},
		"look": {
			Answers: []vendortest.Answer{
				{Name: "approved", Handler: vendortest.Reply(200, vendortest.Golden(t, "approved.json")), Outcome: event.Approved},
				{Name: "declined", Handler: vendortest.Reply(200, vendortest.Golden(t, "declined.json")), Outcome: event.Rejected},
				pending("created", 200, "created.json"),
			},
			Call:     in(stepLook, false),
			Statuses: gone, ReadOnly: true,
		},
		"attempt": {
			Answers:  []vendortest.Answer{pending("aborted", 200, "attempt_aborted.json")},
			Call:     in(stepAttempt, false),
			Statuses: gone, ReadOnly: true,
		},
		"start with OAuth": {
			New: func(target vendortest.Target) (vendors.Adapter, error) {
				return New(Config{
					BaseURL: target.BaseURL, TokenURL: target.BaseURL + "/connect/token", UserJourneyID: journey, Client: target.Client,
					ClientID: "client-1", ClientSecret: func() (string, error) { return target.Secret, nil },
				})
			},
			Answers: []vendortest.Answer{pending("created", 201, "created.json")},
			Paid:    func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, pathRoot) },
			Free:    vendortest.Reply(200, vendortest.Golden(t, "token.json")),
			Call:    theCall(),
			// The first refusal of a token: see TestSecondRefusedTokenPausesTheLane.
			Statuses: map[int]vendortest.Want{http.StatusUnauthorized: {Kind: vendors.Transient}},
		},
	} {
		if s.New == nil {
			s.New = static
		}
		s.Reference = "fav_1"
		s.Secrets = []string{"canary-token-5e0d", "canary-link", "canary-done"}
		statuses := map[int]vendortest.Want{
			http.StatusRequestTimeout:    {Kind: vendors.Transient, Unknown: true},
			http.StatusProxyAuthRequired: {Kind: vendors.LaneFault},
		}
		for status, want := range s.Statuses {
			statuses[status] = want
		}
		s.Statuses = statuses
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vendortest.Run(t, s)
		})
	}
}
