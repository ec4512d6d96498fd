package checkout

import (
	"flag"
	"net/http"
	"strings"
	"testing"
	"time"

	"reauth/internal/vendors/vendortest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestRequestsAreTheGoldenOnes holds all seven calls and the one for a token, as
// they arrive at the vendor, against testdata.
func TestRequestsAreTheGoldenOnes(t *testing.T) {
	var sent strings.Builder
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		sent.WriteString(vendortest.Wire(t, r))
		switch path := r.URL.Path; {
		case path == "/connect/token":
			say(w, 200, vendortest.Golden(t, "token.json"))
		case path == pathRoot:
			say(w, 201, vendortest.Golden(t, "created.json"))
		case r.Method == http.MethodPost && strings.HasSuffix(path, "/attempts"):
			say(w, 201, vendortest.Golden(t, "attempt.json"))
		case strings.HasSuffix(path, "/attempts"):
			say(w, 200, vendortest.Golden(t, "attempts.json"))
		case strings.HasSuffix(path, "/assets"):
			say(w, 200, vendortest.Golden(t, "assets.json"))
		case strings.HasSuffix(path, "/fatp_1"):
			say(w, 200, vendortest.Golden(t, "attempt_aborted.json"))
		default:
			say(w, 200, vendortest.Golden(t, "approved.json"))
		}
	})
	c := theCall()
	for _, s := range []state{
		{},
		{Next: stepInvite, ID: "fav_1"},
		{Next: stepFind, ID: "fav_1"},
		{Next: stepLook, ID: "fav_1"},
		{Next: stepAttempt, ID: "fav_1", Attempt: "fatp_1"},
	} {
		if s.Until = time.Now().Add(time.Hour).UnixMilli(); s.Next != "" {
			c.State = s.text()
		}
		if _, err := a.Authenticate(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := a.Assets(t.Context(), "fav_1", "fatp_1", 40); err != nil {
		t.Fatal(err)
	}
	if err := a.Erase(t.Context(), "fav_1"); err != nil {
		t.Fatal(err)
	}
	vendortest.WantGolden(t, "requests.txt", sent.String(), *update)
}

// serve returns an adapter with an OAuth client whose vendor is handler.
func serve(t *testing.T, handler http.HandlerFunc) *Adapter {
	t.Helper()
	baseURL, client := vendortest.Serve(t, handler)
	a, err := New(Config{
		BaseURL: baseURL, TokenURL: baseURL + "/connect/token", UserJourneyID: journey,
		ClientID: "ack_client-1", ClientSecret: clientSecret, Client: client,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// secretText has what a form must escape.
const secretText = "canary-secret/+&=%41"

func clientSecret() (string, error) { return secretText + "\n", nil }
