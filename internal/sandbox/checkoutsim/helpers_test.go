package checkoutsim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// setup returns a simulator on default knobs, without chance in its times, after
// change.
func setup(t *testing.T, change func(*Config)) *Simulator {
	t.Helper()
	c := Config{Knobs: DefaultKnobs(), Seed: 1}
	c.Knobs.Think, c.Knobs.Capture, c.Knobs.Checks = delay("2s"), delay("3s"), delay("4s")
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func adjust(t *testing.T, s *Simulator, change func(*Knobs)) {
	t.Helper()
	if err := s.Adjust(func(k *Knobs) error { change(k); return nil }); err != nil {
		t.Fatal(err)
	}
}

// reply is what came back; aborted means that the connection broke instead.
type reply struct {
	status  int
	header  http.Header
	body    string
	aborted bool
}

// do serves a request in memory.
func do(s *Simulator, r *http.Request) (got reply) {
	w := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			got = reply{aborted: true}
		}
	}()
	s.ServeHTTP(w, r)
	return reply{status: w.Code, header: w.Header(), body: w.Body.String()}
}

// request is a call to the API with the secret key; a body makes it a POST.
func request(ctx context.Context, method, path, body string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, method, "http://checkout.test"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer sk_sbox_sandbox_checkout_key")
	r.Header.Set("Content-Type", "application/json")
	return r
}

func get(s *Simulator, path string) reply {
	return do(s, request(context.Background(), http.MethodGet, path, ""))
}

func post(s *Simulator, path, body string) reply {
	return do(s, request(context.Background(), http.MethodPost, path, body))
}

const journey = "usj_sandboxsandboxsandboxsandb"

func createBody(applicant string) string {
	return `{"applicant_id":"` + applicant + `","user_journey_id":"` + journey + `"}`
}

const attemptBodyText = `{"redirect_url":"https://app.example/done?from=mail","client_information":{"pre_selected_residence_country":"FR","pre_selected_language":"fr-FR"}}`

func parse[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil || r.aborted {
		t.Fatalf("reading %d %q (aborted %t): %v", r.status, r.body, r.aborted, err)
	}
	return v
}

// made creates an authentication and returns its path.
func made(t *testing.T, s *Simulator, applicant string) string {
	t.Helper()
	got := post(s, "/face-authentications", createBody(applicant))
	if got.status != http.StatusCreated {
		t.Fatalf("creating for %s: %d %s", applicant, got.status, got.body)
	}
	return "/face-authentications/" + parse[wireAuthentication](t, got).ID
}

// attempted makes an attempt.
func attempted(t *testing.T, s *Simulator, path string) attemptBody {
	t.Helper()
	got := post(s, path+"/attempts", attemptBodyText)
	if got.status != http.StatusCreated {
		t.Fatalf("attempt at %s: %d %s", path, got.status, got.body)
	}
	return parse[attemptBody](t, got)
}

// pathOf is the path of a link.
func pathOf(t *testing.T, h href) string {
	t.Helper()
	path, ok := strings.CutPrefix(h.Href, "http://checkout.test")
	if !ok {
		t.Fatalf("link %q is not at the address that was called", h.Href)
	}
	return path
}

// state is status and codes of an authentication.
func state(t *testing.T, s *Simulator, path string) string {
	t.Helper()
	got := parse[wireAuthentication](t, get(s, path))
	text := string(got.Status)
	for _, c := range got.ResponseCodes {
		text += " " + c.Summary
	}
	return text
}

func wantState(t *testing.T, s *Simulator, path, want string) {
	t.Helper()
	if got := state(t, s, path); got != want {
		t.Errorf("state %q, want %q", got, want)
	}
}

func wantError(t *testing.T, what string, got reply, status int, code string) {
	t.Helper()
	type body struct {
		RequestID  string   `json:"request_id"`
		ErrorType  string   `json:"error_type"`
		ErrorCodes []string `json:"error_codes"`
	}
	if got.status != status {
		t.Errorf("%s: %d %s, want %d", what, got.status, got.body, status)
		return
	}
	if code == "" {
		if got.body != "" {
			t.Errorf("%s: body %s, want none", what, got.body)
		}
		return
	}
	b := parse[body](t, got)
	if b.RequestID != got.header.Get("Cko-Request-Id") || b.RequestID == "" || b.ErrorType != "request_invalid" ||
		len(b.ErrorCodes) != 1 || b.ErrorCodes[0] != code {
		t.Errorf("%s: %s, want %s", what, got.body, code)
	}
}
