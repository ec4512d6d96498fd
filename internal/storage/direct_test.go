package storage

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rawStore is a store below HTTP: each of its connections, counted from 1, is a
// function's.
type rawStore struct {
	url       string
	connected atomic.Int64
}

func newRawStore(t *testing.T, serve func(nth int64, c net.Conn, requests *bufio.Reader)) *rawStore {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawStore{url: "http://" + listener.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			nth := s.connected.Add(1)
			wg.Go(func() {
				defer c.Close()
				serve(nth, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() { listener.Close(); wg.Wait() })
	return s
}

// answering answers every request of a connection with what answer says.
func answering(answer func(r *http.Request) string) func(int64, net.Conn, *bufio.Reader) {
	return func(_ int64, c net.Conn, requests *bufio.Reader) {
		for {
			r, err := http.ReadRequest(requests)
			if err != nil {
				return
			}
			io.WriteString(c, answer(r))
		}
	}
}

func whole(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func openDirect(t *testing.T) *direct {
	t.Helper()
	d := &direct{Transport: newTransport(4)}
	t.Cleanup(d.CloseIdleConnections)
	return d
}

// get returns the whole body of an answer.
func get(ctx context.Context, d http.RoundTripper, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := d.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

// mustGet gets until the test's end at most.
func mustGet(t *testing.T, d *direct, url, want string) {
	t.Helper()
	if body, err := get(t.Context(), d, url); err != nil || body != want {
		t.Fatalf("got %q, %v; want %q", body, err, want)
	}
}

// TestAnswersOfAllForms: the connection is used again where HTTP says that it may be.
func TestAnswersOfAllForms(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		again  bool
	}{
		"length":      {whole("selfie"), true},
		"chunks":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsel\r\n3\r\nfie\r\n0\r\n\r\n", true},
		"close":       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nselfie", false},
		"HTTP/1.0":    {"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nselfie", false},
		"informed":    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + whole("selfie"), true},
		"two answers": {whole("selfie") + whole("another's"), false},
	} {
		t.Run(name, func(t *testing.T) {
			store := newRawStore(t, answering(func(*http.Request) string { return c.answer }))
			d := openDirect(t)
			mustGet(t, d, store.url, "selfie")
			mustGet(t, d, store.url, "selfie")
			if again := store.connected.Load() == 1; again != c.again {
				t.Errorf("%d connections for two GETs", store.connected.Load())
			}
		})
	}
}

// TestEmptyAnswerKeepsItsConnection: there is no body to read.
func TestEmptyAnswerKeepsItsConnection(t *testing.T) {
	store := newRawStore(t, answering(func(*http.Request) string { return whole("") }))
	d := openDirect(t)
	mustGet(t, d, store.url, "")
	mustGet(t, d, store.url, "")
	if n := store.connected.Load(); n != 1 {
		t.Errorf("%d connections for two GETs", n)
	}
}

// TestBodyThatEndsWithTheConnection has no length to go by.
func TestBodyThatEndsWithTheConnection(t *testing.T) {
	store := newRawStore(t, func(_ int64, c net.Conn, requests *bufio.Reader) {
		if _, err := http.ReadRequest(requests); err == nil {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nselfie")
		}
	})
	d := openDirect(t)
	mustGet(t, d, store.url, "selfie")
	mustGet(t, d, store.url, "selfie")
}

// TestWhatNobodyAskedForIsNoAnswer: a store that has lost count must not have us take
// one person's selfie for another's.
func TestWhatNobodyAskedForIsNoAnswer(t *testing.T) {
	sent := make(chan struct{})
	unasked := sync.OnceFunc(func() { close(sent) })
	store := newRawStore(t, func(nth int64, c net.Conn, requests *bufio.Reader) {
		for {
			r, err := http.ReadRequest(requests)
			if err != nil {
				return
			}
			io.WriteString(c, whole(r.URL.Path))
			if nth == 1 {
				time.Sleep(20 * time.Millisecond) // until the answer was read
				io.WriteString(c, whole("another's"))
				unasked()
			}
		}
	})
	d := openDirect(t)
	mustGet(t, d, store.url+"/1", "/1")
	<-sent
	mustGet(t, d, store.url+"/2", "/2")
	if n := store.connected.Load(); n != 2 {
		t.Errorf("%d connections, want a new one", n)
	}
}

// TestAnswerBehindAnotherInTLS: what TLS has read and nobody asked for is no answer,
// either.
func TestAnswerBehindAnotherInTLS(t *testing.T) {
	// The first answer ends where what is read at once of their record does.
	const readAtOnce = 4096
	body := strings.Repeat("s", 2*readAtOnce-len("HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n"))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, requests, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, whole(body)+whole("another's"))
		io.Copy(io.Discard, requests)
	}))
	server.TLS = &tls.Config{DynamicRecordSizingDisabled: true, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)
	d := openDirect(t)
	d.TLSClientConfig.RootCAs = x509.NewCertPool()
	d.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	mustGet(t, d, server.URL, body)
	mustGet(t, d, server.URL, body)
}

// TestBrokenAnswers are errors, and end their connections.
func TestBrokenAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"half a header": "HTTP/1.1 200 OK\r\nContent-Le",
		"no HTTP":       "220 mail.example.com ESMTP\r\n\r\n",
		"long header":   "HTTP/1.1 200 OK\r\nX-Amz-Meta-A: " + strings.Repeat("a", 70<<10) + "\r\nContent-Length: 0\r\n\r\n",
		"half a body":   "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsel",
		"informed only": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 7),
	} {
		t.Run(name, func(t *testing.T) {
			store := newRawStore(t, func(_ int64, c net.Conn, requests *bufio.Reader) {
				if _, err := http.ReadRequest(requests); err == nil {
					io.WriteString(c, answer)
				}
			})
			d := openDirect(t)
			if body, err := get(t.Context(), d, store.url); err == nil {
				t.Errorf("got %q", body)
			}
			if len(d.idle) != 0 {
				t.Error("the connection is kept")
			}
		})
	}
}

// TestRequestsAreThoseOfNetHTTP, byte for byte.
func TestRequestsAreThoseOfNetHTTP(t *testing.T) {
	var last string
	store := newRawStore(t, answering(func(r *http.Request) string {
		dump, _ := httputil.DumpRequest(r, true)
		last = string(dump)
		return whole("")
	}))
	d := openDirect(t)
	for _, query := range []string{"", "?versionId=v%2B1"} {
		var sent [2]string
		for i, by := range []http.RoundTripper{d, d.Transport} {
			if _, err := get(t.Context(), by, store.url+"/selfies/a%20b+c.jpg"+query); err != nil {
				t.Fatal(err)
			}
			sent[i] = last
		}
		if diff := cmp.Diff(sent[1], sent[0]); diff != "" {
			t.Errorf("net/http (-) and ours (+):\n%s", diff)
		}
	}
}

// TestProxyIsNetHTTPs to speak to.
func TestProxyIsNetHTTPs(t *testing.T) {
	proxy := newRawStore(t, answering(func(r *http.Request) string { return whole("asked for " + r.URL.String()) }))
	d := openDirect(t)
	d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.url) }
	mustGet(t, d, "http://store.invalid/a", "asked for http://store.invalid/a")
}
