package faceki

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

func TestNewReportsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string // empty: nothing is
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.APIVersion = Blaze }, ""},
		{func(c *Config) { c.BaseURL = "http://[::1]:8080" }, ""},
		{func(c *Config) { c.BaseURL, c.AllowHTTP = "http://sandbox:8080", true }, ""},
		{func(c *Config) { c.BaseURL = "http://vendor.example" }, "not https"},
		{func(c *Config) { c.BaseURL = "vendor.example" }, "absolute"},
		{func(c *Config) { c.BaseURL = "https://u:canary@vendor.example" }, "user"},
		{func(c *Config) { c.BaseURL = "https://vendor.example?k=canary" }, "query"},
		{func(c *Config) { c.APIVersion = "v3" }, "API version"},
		{func(c *Config) { c.ClientID = "" }, "client id"},
		{func(c *Config) { c.ClientSecret = nil }, "client secret"},
		{func(c *Config) { c.OnAmbiguous = "approve" }, "ambiguous"},
	} {
		config := Config{ClientID: "c", ClientSecret: clientSecret}
		c.change(&config)
		_, err := New(config)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", config, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary")):
			t.Errorf("what must be refused as %q: %v", c.want, err)
		}
	}
}

func TestCapabilities(t *testing.T) {
	want := vendors.Capabilities{NeedsSelfie: true, Subject: "submission_id", Liveness: event.LivenessNone}
	if diff := cmp.Diff(want, decoder(t, V2, "", nil).Capabilities()); diff != "" {
		t.Error(diff)
	}
}

// TestNothingIsSentInVain: above all not without an expected reference, when any
// match would have to do.
func TestNothingIsSentInVain(t *testing.T) {
	var arrived atomic.Int64
	a := serve(t, func(http.ResponseWriter, *http.Request) { arrived.Add(1) })
	for _, c := range []struct {
		name   string
		call   vendors.Call
		secret vendors.Secret
		kind   vendors.Kind
		code   string
	}{
		{"no selfie", vendors.Call{SubmissionID: "s"}, clientSecret, vendors.Refused, codeSelfieMissing},
		{"empty selfie", call("s", vendortest.NewSelfie(0)), clientSecret, vendors.Refused, codeSelfieMissing},
		{"no reference", call("", vendortest.NewSelfie(9)), clientSecret, vendors.Refused, codeSubmissionMissing},
		{"blank reference", call(" \t", vendortest.NewSelfie(9)), clientSecret, vendors.Refused, codeSubmissionMissing},
		{"no secret", call("s", vendortest.NewSelfie(9)), func() (string, error) { return "", nil }, vendors.LaneFault, codeSecretUnusable},
		{"unreadable secret", call("s", vendortest.NewSelfie(9)), func() (string, error) { return "", io.ErrUnexpectedEOF }, vendors.LaneFault, codeSecretUnusable},
	} {
		a.clientSecret = c.secret
		_, err := a.Authenticate(t.Context(), c.call)
		if e := fault(t, err); e.Kind != c.kind || e.Code != c.code || e.Unknown {
			t.Errorf("%s: %v (unknown %v), want %s %s", c.name, e, e.Unknown, c.kind, c.code)
		}
		if selfie, ok := c.call.Selfie.(*vendortest.Selfie); ok {
			for _, f := range selfie.Faults() {
				t.Errorf("%s: %s", c.name, f)
			}
		}
	}
	if n := arrived.Load(); n > 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// TestReferenceIsComparedNotSent: blanks around it do not matter, and it never
// leaves the adapter.
func TestReferenceIsComparedNotSent(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.Contains(string(body), reference) || strings.Contains(r.URL.String(), reference) {
			t.Errorf("the reference was sent (%v)", err)
		}
		if isToken(r) {
			say(w, 200, vendortest.Golden(t, "token.json"))
			return
		}
		say(w, 200, vendortest.Golden(t, "v2_approved.json"))
	})
	v, err := a.Authenticate(t.Context(), call(" "+reference+"\t", vendortest.NewSelfie(64)))
	if err != nil || v.Outcome != event.Approved {
		t.Errorf("%+v, %v", v, err)
	}
	// Several references are not a set: they are one that nobody has.
	v, err = a.Authenticate(t.Context(), call(another+","+reference, vendortest.NewSelfie(64)))
	if got := summary(t, v, err); got != "rejected matched_other_person" {
		t.Errorf("two references: %s", got)
	}
}

func TestSecretIsReadForEveryToken(t *testing.T) {
	var secrets []string
	a := serveVersion(t, V2, func(w http.ResponseWriter, r *http.Request) {
		if isToken(r) {
			secrets = append(secrets, r.URL.Query().Get("clientSecret"))
			say(w, 200, vendortest.Golden(t, "token.json"))
			return
		}
		say(w, 200, "{}")
	})
	secret := "old\n"
	a.clientSecret = func() (string, error) { return secret, nil }
	for _, secret = range []string{"old\n", "new\n"} {
		if err := a.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.tokens.Discard()
	}
	if diff := cmp.Diff([]string{"old", "new"}, secrets); diff != "" {
		t.Error(diff)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   string // empty: all is well
	}{
		{"rules", 200, `{"responseCode":0,"data":{"dataStorageTime":"FOREVER","livenessCheckType":"OPTIONAL"}}`, ""},
		{"rules as a list", 200, `[{"dataStorageTime":"FOREVER"}]`, ""},
		{"a page", 200, "<html>", "lane_fault unreadable_answer"},
		{"an error with 200", 200, `{"status":false,"message":"no","statusCode":403}`, "lane_fault forbidden"},
		{"an error in words", 200, `{"status":false,"message":"no"}`, "lane_fault no_verdict"},
		{"no rules", 200, `{"responseCode":7001}`, "lane_fault 7001"},
		{"allowance", 400, `{"responseCode":8017}`, "lane_fault 8017"},
		{"plan", 403, "", "lane_fault forbidden"},
		{"down", 503, "", "transient "},
		{"throttled", 429, "", "throttled "},
	} {
		a := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if isToken(r) {
				say(w, 200, vendortest.Golden(t, "token.json"))
				return
			}
			if got := r.Method + " " + r.URL.String(); got != "GET /kycrules/api/kycrules" || r.Header.Get("Authorization") != "Bearer canary-token-5e0d" {
				t.Errorf("request %s with token %v", got, r.Header.Get("Authorization") != "")
			}
			say(w, c.status, c.body)
		})
		err := a.Check(t.Context())
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if got := summary(t, vendors.Verdict{}, err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestCheckReplacesARevokedToken, as it is free.
func TestCheckReplacesARevokedToken(t *testing.T) {
	var tokens atomic.Int64
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case isToken(r):
			tokens.Add(1)
			say(w, 200, vendortest.Golden(t, "token.json"))
		case tokens.Load() == 1:
			say(w, 401, "")
		default:
			say(w, 200, "{}")
		}
	})
	if err := a.Check(t.Context()); err != nil || tokens.Load() != 2 {
		t.Errorf("%v after %d tokens, want nil after 2", err, tokens.Load())
	}
}

// TestCheckOfBlazeFetchesAToken: one that is kept would prove nothing.
func TestCheckOfBlazeFetchesAToken(t *testing.T) {
	var tokens atomic.Int64
	a := serveVersion(t, Blaze, func(w http.ResponseWriter, r *http.Request) {
		if !isToken(r) {
			t.Errorf("request %s", r.URL)
		}
		if tokens.Add(1) == 3 {
			say(w, 422, vendortest.Golden(t, "envelope_error.json"))
			return
		}
		say(w, 200, vendortest.Golden(t, "token.json"))
	})
	for range 2 {
		if err := a.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if e := fault(t, a.Check(t.Context())); e.Kind != vendors.LaneFault {
		t.Errorf("wrong credentials: %v, want lane_fault", e)
	}
}
