package rekognition

import (
	"bytes"
	"flag"
	"net/http"
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

var hosts = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// TestRequestsAreTheGoldenOnes holds a comparison with the shortest and one with
// the longest reference, and a check, as they arrive at the vendor, against
// testdata.
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
		if strings.Contains(string(dump), "S3Object") {
			say(w, 200, golden(t, "matched.json"))
			return
		}
		say(w, 400, `{"__type":"InvalidImageFormatException"}`)
	}, nil)
	for _, reference := range []vendors.ObjectRef{
		{Key: "portraits/4711.jpg"},
		{Bucket: "portraits", Key: "ü \"quoted\" <&>.png", Version: "3/L4kqtJl+c="},
	} {
		c := call(vendortest.NewSelfie(64))
		c.Reference = &reference
		if _, err := a.Authenticate(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	const file = "requests.txt"
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", file), []byte(sent.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(golden(t, file), sent.String()); diff != "" {
		t.Errorf("requests differ from %s (-want +got):\n%s", file, diff)
	}
}
