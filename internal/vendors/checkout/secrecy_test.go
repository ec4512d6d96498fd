package checkout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// spills looks for what the golden answers hold of persons, for links and for the
// credentials, in any letter case.
func spills(text string) bool {
	lower := strings.ToLower(strings.ReplaceAll(text, applicant, ""))
	return strings.Contains(lower, "canary") || strings.Contains(lower, "203.0.113.77") ||
		strings.Contains(lower, "http") && !strings.Contains(text, "HTTP ") || strings.Contains(text, url.QueryEscape(secretText))
}

// TestNothingSecretIsKept goes through every step with every golden answer under
// several statuses: an invitation's link is the only thing of the kind that
// leaves the adapter.
func TestNothingSecretIsKept(t *testing.T) {
	for _, file := range []string{
		"created.json", "approved.json", "declined.json", "attempt.json", "attempt_aborted.json", "attempts.json", "assets.json",
		"token.json", "error_applicant.json", "event.json",
	} {
		for _, next := range []step{"", stepInvite, stepFind, stepLook, stepAttempt} {
			for _, status := range []int{200, 201, 400, 404, 409, 422, 500} {
				h, registry := newHosted(), prometheus.NewRegistry()
				a := h.adapter(t, func(c *Config) { c.Registerer = registry })
				c := theCall()
				if next != "" {
					c.State = state{Next: next, ID: "fav_1", Attempt: "fatp_1", Until: theStart.Add(time.Hour).UnixMilli()}.text()
				}
				h.answer = saying(status, vendortest.Golden(t, file))
				v, err := a.Authenticate(t.Context(), c)
				if v.Pending != nil && v.Pending.Invite != nil {
					v.Pending.Invite.URL = ""
				}
				metrics, gatherErr := registry.Gather()
				if gatherErr != nil {
					t.Fatal(gatherErr)
				}
				pending, marshalErr := json.Marshal(v.Pending)
				if marshalErr != nil {
					t.Fatal(marshalErr)
				}
				for what, text := range map[string]string{
					"verdict": fmt.Sprintf("%+v", v), "pending": string(pending), "metrics": fmt.Sprint(metrics),
					"error": fmt.Sprintf("%v %+v", err, err),
				} {
					if spills(text) {
						t.Errorf("%q, %d %s: %s: %s", next, status, file, what, text)
					}
				}
			}
		}
	}
}

// TestSignedURLsPrintAsNothing, however they are printed and wherever they stand.
func TestSignedURLsPrintAsNothing(t *testing.T) {
	secret := "https://pictures.example/canary"
	asset := Asset{Type: "face_image", URL: SignedURL{&secret}}
	var logged bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&logged, nil))
	logger.Info("asset", "asset", asset, "url", asset.URL)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("asset", "asset", asset, "url", asset.URL)
	for _, v := range []any{asset, &asset, asset.URL, &asset.URL, []Asset{asset}, struct{ hidden Asset }{asset}, struct{ hidden *SignedURL }{&asset.URL}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			_, _ = fmt.Fprintf(&logged, verb, v)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		logged.Write(text)
	}
	want(t, fmt.Sprintf("%v %s %#v", asset.URL, asset, asset.URL), "[redacted] {face_image [redacted]} [redacted]")
	if text := logged.String(); strings.Contains(text, "canary") || strings.Contains(text, fmt.Sprintf("%x", secret)) {
		t.Errorf("printed: %s", text)
	}
}

// TestCredentialsAreInNoError breaks the token call, whose body has the secret,
// and the calls that show a key, in the ways in which net/http says much.
func TestCredentialsAreInNoError(t *testing.T) {
	refusing := httptest.NewServer(nil)
	refusing.Close()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		said := r.Form.Encode() + secretText + r.Header.Get("Authorization")
		body, _ := json.Marshal(map[string]any{"error": said, "error_type": said, "error_codes": []string{said, keyText}, "request_id": keyText})
		w.Header().Set("Cko-Request-Id", keyText)
		say(w, 422, string(body))
	}))
	defer echo.Close()
	for name, base := range map[string]string{
		"nobody listens": refusing.URL, "echo": echo.URL,
		"no TLS": strings.Replace(echo.URL, "http:", "https:", 1), "no host": "https://no-such-host.invalid",
	} {
		for _, oauth := range []bool{false, true} {
			client := vendors.NewHTTPClient(vendors.HTTPOptions{})
			c := Config{BaseURL: base, TokenURL: base + "/connect/token", UserJourneyID: journey, Client: client, SecretKey: secretKey}
			if oauth {
				c.SecretKey, c.ClientID, c.ClientSecret = nil, "client-1", clientSecret
			}
			a, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Authenticate(t.Context(), theCall())
			errs := []error{err, a.Check(t.Context()), a.Erase(t.Context(), "fav_1")}
			client.CloseIdleConnections()
			for _, err := range errs {
				for cause := err; cause != nil; {
					text := fmt.Sprintf("%v %+v", cause, cause)
					if spills(text) || strings.Contains(text, "client-1") {
						t.Errorf("%s: %s", name, text)
					}
					unwrapped, ok := cause.(interface{ Unwrap() error })
					if !ok {
						break
					}
					cause = unwrapped.Unwrap()
				}
			}
		}
	}
}

// TestNothingIsWrittenToTheLog runs a whole flow with the standard loggers
// caught.
func TestNothingIsWrittenToTheLog(t *testing.T) {
	var logged bytes.Buffer
	out, flags, logger := log.Writer(), log.Flags(), slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	log.SetOutput(&logged)
	t.Cleanup(func() {
		slog.SetDefault(logger)
		log.SetOutput(out)
		log.SetFlags(flags)
	})
	f := newFlow(t, newHosted(), nil)
	f.steps(2)
	f.vendor.open(f.auth())
	f.vendor.end(f.auth(), completed, approved)
	f.run(1)
	if logged.Len() > 0 {
		t.Errorf("logged: %s", logged.String())
	}
}
