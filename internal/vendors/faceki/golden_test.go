package faceki

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
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

var (
	boundaries = regexp.MustCompile(`[0-9a-f]{60}`)
	hosts      = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// TestRequestsAreTheGoldenOnes holds both calls of both generations, as they
// arrive at the vendor, against testdata. What differs from run to run (boundary
// and port) is written out.
func TestRequestsAreTheGoldenOnes(t *testing.T) {
	for _, version := range []APIVersion{V2, Blaze} {
		t.Run(string(version), func(t *testing.T) {
			var sent strings.Builder
			a := serveVersion(t, version, func(w http.ResponseWriter, r *http.Request) {
				dump, err := httputil.DumpRequest(r, true)
				if err != nil {
					t.Error(err)
				}
				dump = hosts.ReplaceAll(boundaries.ReplaceAll(dump, []byte("BOUNDARY")), []byte("vendor.example"))
				sent.Write(bytes.ReplaceAll(dump, []byte("\r\n"), []byte("\n")))
				sent.WriteString("\n\n")
				if isToken(r) {
					say(w, 200, golden(t, "token.json"))
					return
				}
				say(w, 200, golden(t, string(version)+"_approved.json"))
			})
			if _, err := a.Authenticate(t.Context(), call(reference, vendortest.NewSelfie(64))); err != nil {
				t.Fatal(err)
			}
			file := "requests_" + string(version) + ".txt"
			if *update {
				if err := os.WriteFile(filepath.Join("testdata", file), []byte(sent.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(golden(t, file), sent.String()); diff != "" {
				t.Errorf("requests differ from %s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// TestFormReadsAsMultipart has the standard library read what form wrote, with
// a boundary of its own choice.
func TestFormReadsAsMultipart(t *testing.T) {
	selfie := vendortest.NewSelfie(100 << 10)
	prefix, suffix, contentType := vendors.Form("", nil, "selfie_image", "image/jpeg")
	body := vendors.NewBody(prefix, selfie, suffix)
	defer func() { _ = body.Close() }()
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(body, params["boundary"])
	p, err := parts.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	if p.FormName() != "selfie_image" || p.FileName() != "selfie.jpg" || p.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("part %q, file %q of type %q", p.FormName(), p.FileName(), p.Header.Get("Content-Type"))
	}
	if value, err := io.ReadAll(p); err != nil || !bytes.Equal(value, selfie.Bytes()) {
		t.Errorf("selfie arrived with %d bytes that differ from the %d sent (%v)", len(value), len(selfie.Bytes()), err)
	}
	if _, err := parts.NextRawPart(); !errors.Is(err, io.EOF) {
		t.Errorf("after the selfie: %v, want the end", err)
	}
}

// isToken tells token calls from the others.
func isToken(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/auth/api/") }

// serve returns a V2 adapter whose vendor is handler.
func serve(t *testing.T, handler http.HandlerFunc) *Adapter {
	t.Helper()
	return serveVersion(t, V2, handler)
}

func serveVersion(t *testing.T, version APIVersion, handler http.HandlerFunc) *Adapter {
	t.Helper()
	server := httptest.NewServer(handler)
	client := vendors.NewHTTPClient(vendors.HTTPOptions{})
	t.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	a, err := New(Config{BaseURL: server.URL, APIVersion: version, ClientID: "client-1", ClientSecret: clientSecret, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// secretText has what a query must escape.
const secretText = "canary-secret/+&=%41"

func clientSecret() (string, error) { return secretText + "\n", nil }

func say(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// The references of the golden answers.
const (
	reference = "0123456789abcdef0123456789abcdef"
	another   = "fedcba9876543210fedcba9876543210"
)

func call(expected string, selfie vendors.Selfie) vendors.Call {
	return vendors.Call{SubmissionID: expected, Selfie: selfie}
}

// picture is a selfie with these bytes.
type picture []byte

func (p picture) Size() int64         { return int64(len(p)) }
func (p picture) ContentType() string { return http.DetectContentType(p) }
func (p picture) Reader() io.Reader   { return bytes.NewReader(p) }
func (p picture) Body() io.ReadCloser { return io.NopCloser(bytes.NewReader(p)) }
