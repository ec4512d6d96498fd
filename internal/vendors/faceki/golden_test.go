package faceki

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var boundaries = regexp.MustCompile(`[0-9a-f]{60}`)

// TestRequestsAreTheGoldenOnes holds both calls of both generations, as they
// arrive at the vendor, against testdata. The boundary, which differs from run
// to run, is written out.
func TestRequestsAreTheGoldenOnes(t *testing.T) {
	for _, version := range []APIVersion{V2, Blaze} {
		t.Run(string(version), func(t *testing.T) {
			var sent strings.Builder
			a := serveVersion(t, version, func(w http.ResponseWriter, r *http.Request) {
				sent.WriteString(boundaries.ReplaceAllString(vendortest.Wire(t, r), "BOUNDARY"))
				if isToken(r) {
					say(w, 200, vendortest.Golden(t, "token.json"))
					return
				}
				say(w, 200, vendortest.Golden(t, string(version)+"_approved.json"))
			})
			if _, err := a.Authenticate(t.Context(), call(reference, vendortest.NewSelfie(64))); err != nil {
				t.Fatal(err)
			}
			vendortest.WantGolden(t, "requests_"+string(version)+".txt", sent.String(), *update)
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
	baseURL, client := vendortest.Serve(t, handler)
	a, err := New(Config{BaseURL: baseURL, APIVersion: version, ClientID: "client-1", ClientSecret: clientSecret, Client: client})
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
