package checkout

import (
	"bytes"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/vendors"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden returns a file of testdata.
func golden(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

var hosts = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// TestRequestsAreTheGoldenOnes holds all seven calls and the one for a token, as
// they arrive at the vendor, against testdata.
func TestRequestsAreTheGoldenOnes(t *testing.T) {
	var sent strings.Builder
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		dump, err := httputil.DumpRequest(r, true)
		if err != nil {
			t.Error(err)
		}
		dump = hosts.ReplaceAll(dump, []byte("vendor.example"))
		sent.Write(bytes.ReplaceAll(dump, []byte("\r\n"), []byte("\n")))
		sent.WriteString("\n\n")
		switch path := r.URL.Path; {
		case path == "/connect/token":
			say(w, 200, golden(t, "token.json"))
		case path == pathRoot:
			say(w, 201, golden(t, "created.json"))
		case r.Method == http.MethodPost && strings.HasSuffix(path, "/attempts"):
			say(w, 201, golden(t, "attempt.json"))
		case strings.HasSuffix(path, "/attempts"):
			say(w, 200, golden(t, "attempts.json"))
		case strings.HasSuffix(path, "/assets"):
			say(w, 200, golden(t, "assets.json"))
		case strings.HasSuffix(path, "/fatp_1"):
			say(w, 200, golden(t, "attempt_aborted.json"))
		default:
			say(w, 200, golden(t, "approved.json"))
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
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "requests.txt"), []byte(sent.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(golden(t, "requests.txt"), sent.String()); diff != "" {
		t.Errorf("requests differ from requests.txt (-want +got):\n%s", diff)
	}
}

// serve returns an adapter with an OAuth client whose vendor is handler.
func serve(t *testing.T, handler http.HandlerFunc) *Adapter {
	t.Helper()
	server := httptest.NewServer(handler)
	client := vendors.NewHTTPClient(vendors.HTTPOptions{})
	t.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	a, err := New(Config{
		BaseURL: server.URL, TokenURL: server.URL + "/connect/token", UserJourneyID: journey,
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
