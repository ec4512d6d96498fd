package faceki

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// spillsCanary looks for what golden answers hold of persons, and for the
// credentials, in any letter case.
func spillsCanary(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(lower, "canary") || strings.Contains(lower, "203.0.113.77") ||
		strings.Contains(text, url.QueryEscape(secretText))
}

// TestNothingOfARecordIsKept: the only thing that is decoded of an answer, and
// all that leaves the adapter, hold nothing personal.
func TestNothingOfARecordIsKept(t *testing.T) {
	for _, version := range []APIVersion{V2, Blaze} {
		for _, name := range []string{"approved", "other", "two", "nomatch", "error", "inactive", "declined", "stray", "again", "failed"} {
			file := string(version) + "_" + name + ".json"
			if version == Blaze && (name == "inactive" || name == "declined" || name == "stray" || name == "again") || version == V2 && name == "failed" {
				continue
			}
			body := vendortest.Golden(t, file)
			if !spillsCanary(body) && name != "nomatch" {
				t.Fatalf("%s holds nothing to look for", file)
			}
			for _, status := range []int{200, 400, 500} {
				registry := prometheus.NewRegistry()
				v, err := decoder(t, version, HoldAmbiguous, registry).decode(answerOf(status, body), reference)
				metrics, gatherErr := registry.Gather()
				if gatherErr != nil {
					t.Fatal(gatherErr)
				}
				for what, text := range map[string]string{
					"what is decoded": fmt.Sprintf("%+v", readAnswer(answerOf(status, body))),
					"verdict":         fmt.Sprintf("%+v", v),
					"error":           fmt.Sprintf("%v %+v", err, err),
					"metrics":         fmt.Sprint(metrics),
				} {
					if spillsCanary(text) {
						t.Errorf("%s with %d: %s: %s", file, status, what, text)
					}
				}
			}
		}
	}
}

// TestWantedFieldsAreBounded: nobody can hide a document in a field that is read.
func TestWantedFieldsAreBounded(t *testing.T) {
	long := strings.Repeat("canary", maxScalar)
	s := readAnswer(answerOf(200, `{"responseCode":"`+long+`","data":{"face_verified":"`+long+`","all_face_ids":["`+long+`",{"a":["canary"]}],"kyc_records":[{"status":["canary",{}],"faceID":{"canary":"canary"},"referenceId":"`+long+`"}]}}`))
	want := said{faces: []string{"", ""}, records: []record{{}}}
	if diff := cmp.Diff(want, s, cmp.AllowUnexported(said{}, record{}, identified{}, scalar{})); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

// TestSecretIsInNoError breaks the token call of V2, whose URL has the secret, in
// every way in which net/http quotes a URL.
func TestSecretIsInNoError(t *testing.T) {
	refusing := httptest.NewServer(nil)
	refusing.Close()
	odd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = fmt.Fprintf(c, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ://%s\r\n\r\n", r.URL.RawQuery)
		_ = c.Close()
	}))
	defer odd.Close()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := json.Marshal(map[string]any{"message": r.URL.String(), "statusCode": 422, "code": r.URL.RawQuery})
		say(w, 422, string(body))
	}))
	defer echo.Close()
	for name, base := range map[string]string{
		"nobody listens": refusing.URL, "redirect": odd.URL, "echo": echo.URL,
		"no TLS": strings.Replace(echo.URL, "http:", "https:", 1), "no host": "https://no-such-host.invalid",
	} {
		client := vendors.NewHTTPClient(vendors.HTTPOptions{})
		a, err := New(Config{BaseURL: base, ClientID: "client-1", ClientSecret: clientSecret, Client: client})
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Authenticate(t.Context(), call(reference, vendortest.NewSelfie(64)))
		e := fault(t, err)
		if e.Unknown {
			t.Errorf("%s: the outcome is unknown, but the paid call was never made", name)
		}
		checkErr := a.Check(t.Context())
		client.CloseIdleConnections()
		for cause := err; cause != nil; {
			text := fmt.Sprintf("%v %+v %#v", cause, cause, checkErr)
			if spillsCanary(text) || strings.Contains(text, "client-1") {
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

// TestNothingIsWrittenToTheLog runs a whole search with the standard logger
// caught.
func TestNothingIsWrittenToTheLog(t *testing.T) {
	var logged bytes.Buffer
	catchLog(t, &logged)
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if isToken(r) {
			say(w, 200, vendortest.Golden(t, "token.json"))
			return
		}
		say(w, 200, vendortest.Golden(t, "v2_other.json"))
	})
	if _, err := a.Authenticate(t.Context(), call(reference, vendortest.NewSelfie(64))); err != nil {
		t.Fatal(err)
	}
	if logged.Len() > 0 {
		t.Errorf("logged: %s", logged.String())
	}
}

// catchLog sends what both standard loggers write to w.
func catchLog(t *testing.T, w io.Writer) {
	out, flags, logger := log.Writer(), log.Flags(), slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(w, nil)))
	log.SetOutput(w)
	t.Cleanup(func() {
		slog.SetDefault(logger)
		log.SetOutput(out)
		log.SetFlags(flags)
	})
}
