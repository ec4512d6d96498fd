package sandbox

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/sandbox/facekisim"
	"reauth/internal/vendors"
	"reauth/internal/vendors/faceki"
)

const enrolment = "0123456789abcdef0123456789abcdef"

// photo is a selfie as the store has it.
type photo []byte

func (p photo) Size() int64         { return int64(len(p)) }
func (p photo) ContentType() string { return http.DetectContentType(p) }
func (p photo) Reader() io.Reader   { return bytes.NewReader(p) }
func (p photo) Body() io.ReadCloser { return io.NopCloser(bytes.NewReader(p)) }

// facekiOf returns an adapter in front of a simulated vendor.
func facekiOf(t *testing.T) (*faceki.Adapter, *facekisim.Simulator) {
	t.Helper()
	knobs := facekisim.DefaultKnobs()
	sim, err := facekisim.New(facekisim.Config{Knobs: knobs})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	client := vendors.NewHTTPClient(vendors.HTTPOptions{})
	t.Cleanup(func() {
		sim.Close()
		client.CloseIdleConnections()
		server.Close()
	})
	a, err := faceki.New(faceki.Config{
		BaseURL: server.URL, ClientID: knobs.ClientID, Client: client,
		ClientSecret: func() (string, error) { return knobs.ClientSecret, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return a, sim
}

// selfieOf is the picture under key.
func selfieOf(t *testing.T, s *Sandbox, key string) photo {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.S3URL()+"/selfies/"+key, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", key, resp.StatusCode, err)
	}
	return body
}

// TestExpectFacekiIsWhatTheAdapterFinds makes one attempt after the other, as the
// consumer does, with the picture that S3 has under the key.
func TestExpectFacekiIsWhatTheAdapterFinds(t *testing.T) {
	s := setup(t, func(o *Options) { o.S3.AllowAnonymous = true })
	a, sim := facekiOf(t)
	other := facekisim.Other(enrolment)
	keys := []string{
		"7.jpg", "face-" + enrolment + ".jpg", "face-" + enrolment + "-40KB.png",
	}
	for _, script := range []string{
		"other", "two", "again", "deleted", "declined", "review", "stray", "norecords", "nomatch", "nomatch8013", "nomatch404",
		"429-once", "429-twice", "500", "502", "503", "resetearly", "504", "badjson", "reset-twice", "500-always", "504-always", "429-always",
		"code1", "code1-once", "code1000-once", "code1000", "code8003", "code8003-once", "code8017", "code8017-once", "code7001", "code9999", "code9999-once",
		"code8001", "code8002", "code8004", "code8005-http400", "code8006-http422", "code8007", "code8008", "code8009", "code8013-http404",
		"code8018-once", "code8019-two", "code5003", "code5004", "code400",
	} {
		keys = append(keys, "face-"+enrolment+"-"+script+".jpg")
	}
	for _, key := range keys {
		picture := selfieOf(t, s, "selfies/"+key)
		for _, expected := range []string{enrolment, other, "feedbeef"} {
			sim.Reset()
			got := attempts(t, a, vendors.Call{SubmissionID: expected, Selfie: picture})
			got.Charges = len(sim.Charged(""))
			if diff := cmp.Diff(ExpectFaceki(expected, "selfies/"+key), got); diff != "" {
				t.Errorf("%s for %s (-want +got):\n%s", key, expected, diff)
			}
		}
	}
	if diff := cmp.Diff(Expectation{Outcome: event.Unusable, Reasons: []event.Reason{event.SelfieNotFound}}, ExpectFaceki(enrolment, "selfies/face-x-missing.jpg")); diff != "" {
		t.Errorf("missing selfie (-want +got):\n%s", diff)
	}
}

// attempts does with an adapter what the consumer does: faults of the lane and
// throttling are waited for, the others count as attempts.
func attempts(t *testing.T, a vendors.Adapter, c vendors.Call) Expectation {
	t.Helper()
	waits := 0
	for counted := 0; counted < usualAttempts && waits < 3; {
		v, err := a.Authenticate(t.Context(), c)
		if err == nil {
			return Expectation{Outcome: v.Outcome, Reasons: v.Reasons}
		}
		var e *vendors.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		switch e.Kind {
		case vendors.Refused:
			return Expectation{Outcome: event.Failed, Reasons: []event.Reason{event.RequestRefused}}
		case vendors.LaneFault, vendors.Throttled:
			waits++
		default:
			counted++
		}
	}
	if waits > 0 {
		return Expectation{}
	}
	return exhausted
}

func TestFacekiIsThereOnlyWhenAskedFor(t *testing.T) {
	named := func(s *Sandbox) map[string]string {
		all := map[string]string{}
		for _, v := range s.Environment() {
			all[v.Name] = v.Value
		}
		return all
	}
	without := setup(t, nil)
	if env := named(without); without.Faceki != nil || without.FacekiURL() != "" || env["REAUTH_VENDORS__FACEKI__ENABLED"] != "" {
		t.Errorf("FACEKI is there unasked: %v", env)
	}
	if status, _ := ask(t, without, http.MethodGet, "/faceki/ledger", ""); status != http.StatusNotFound {
		t.Errorf("its ledger answers %d", status)
	}

	s := setup(t, func(o *Options) { o.FacekiAddr, o.Faceki.PerSecond = "127.0.0.1:0", 20 })
	env := named(s)
	for name, want := range map[string]string{
		"ENABLED": "true", "BASE_URL": s.FacekiURL(), "CLIENT_ID": "sandbox-faceki-client", "CLIENT_SECRET": "sandbox-faceki-secret", "LIMITS": "20/s",
	} {
		if got := env["REAUTH_VENDORS__FACEKI__"+name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	a, err := faceki.New(faceki.Config{
		BaseURL: s.FacekiURL(), ClientID: "sandbox-faceki-client", ClientSecret: func() (string, error) { return "sandbox-faceki-secret", nil },
		Client: http.DefaultClient,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAdminTurnsFaceki(t *testing.T) {
	s := setup(t, func(o *Options) { o.FacekiAddr = "127.0.0.1:0" })
	before := s.Faceki.Knobs()
	for _, bad := range []string{
		`{"faceki": {"token_seconds": 0}, "s3": {"outage": "500"}}`,
		`{"faceki": {"token_seconds": 5}, "s3": {"outage": "flood"}}`,
		`{"faceki": {"token_seconds": 5}, "argos": {"error_rate": 7}}`,
		`{"faceki": {"tokens": 5}}`,
	} {
		if status, body := ask(t, s, http.MethodPut, "/knobs", bad); status != http.StatusBadRequest || s.Faceki.Knobs() != before || s.S3.Knobs().Outage != "" {
			t.Errorf("%s: %d %s, want 400 and nothing changed", bad, status, body)
		}
	}
	if status, body := ask(t, s, http.MethodPut, "/knobs", `{"faceki": {"token_seconds": 5}, "s3": {"outage": "500"}}`); status != http.StatusOK ||
		s.Faceki.Knobs().TokenSeconds != 5 || s.S3.Knobs().Outage != "500" {
		t.Errorf("%d %s", status, body)
	}
	for path, method := range map[string]string{"/faceki/ledger": http.MethodGet, "/faceki/duplicates": http.MethodGet, "/stats": http.MethodGet} {
		if status, body := ask(t, s, method, path, ""); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{"/faceki/revoke", "/reset"} {
		if status, body := ask(t, s, http.MethodPost, path, ""); status != http.StatusNoContent {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
