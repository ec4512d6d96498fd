package vendortest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// judge is a test that only notes whether it has failed.
type judge struct {
	testing.TB
	failed bool
}

func (j *judge) Helper()               {}
func (j *judge) Errorf(string, ...any) { j.failed = true }

// goldenFile makes a testdata of one file for the test.
func goldenFile(t *testing.T, content string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("testdata", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata", "requests.txt"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatDiffersFromItsGoldenFileFails(t *testing.T) {
	goldenFile(t, "as it was\n")
	for got, fails := range map[string]bool{"as it was\n": false, "as it was": true, "": true} {
		j := &judge{TB: t}
		if WantGolden(j, "requests.txt", got, false); j.failed != fails {
			t.Errorf("%q: failed is %v, want %v", got, j.failed, fails)
		}
	}
	if got := Golden(t, "requests.txt"); got != "as it was\n" {
		t.Errorf("the file holds %q after tests without update", got)
	}
}

func TestGoldenFileIsRewrittenOnRequest(t *testing.T) {
	goldenFile(t, "as it was\n")
	WantGolden(t, "requests.txt", "as it is\n", true)
	if got := Golden(t, "requests.txt"); got != "as it is\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestWireIsTheSameInEveryRun(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/v1/check?page=2", strings.NewReader("one\r\ntwo"))
	r.Host = "127.0.0.1:40123"
	r.Header.Set("Accept", "text/plain")
	const want = "POST /v1/check?page=2 HTTP/1.1\nHost: vendor.example\nAccept: text/plain\n\none\ntwo\n\n"
	if got := Wire(t, r); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != "one\r\ntwo" {
		t.Errorf("body %q (%v) afterwards: the handler is to read it, too", body, err)
	}
}
