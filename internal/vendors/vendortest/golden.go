package vendortest

import (
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Golden returns a file of the tested package's testdata.
func Golden(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// WantGolden checks that got is what the file of that name in testdata holds.
// With update the file is written first: say what the tested package's -update
// says. The kit has no such flag of its own, which would clash with that of any
// importer.
func WantGolden(tb testing.TB, name, got string, update bool) {
	tb.Helper()
	if update {
		if err := os.WriteFile(filepath.Join("testdata", name), []byte(got), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	if diff := cmp.Diff(Golden(tb, name), got); diff != "" {
		tb.Errorf("differs from %s (-want +got):\n%s", name, diff)
	}
}

// loopback is where a test's server listens: another port each time.
var loopback = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// Wire returns a request as it arrived, with its body, for a golden file: with
// lines that end in LF, two of them at the end, and vendor.example for the
// address of the server. The body can still be read from r.
//
// Handlers may call it: it never ends the goroutine it is called on.
func Wire(tb testing.TB, r *http.Request) string {
	tb.Helper()
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		tb.Error(err)
	}
	text := loopback.ReplaceAllString(string(dump), "vendor.example")
	return strings.ReplaceAll(text, "\r\n", "\n") + "\n\n"
}
