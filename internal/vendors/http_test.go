package vendors_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// serveTLS returns a server over TLS, and a client that trusts it.
func serveTLS(t *testing.T, handler http.HandlerFunc, change func(*httptest.Server)) (url string, client *http.Client) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	change(server)
	server.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client = vendors.NewHTTPClient(vendors.HTTPOptions{MaxInFlight: 4, RootCAs: roots})
	t.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	return server.URL, client
}

func post(ctx context.Context, t *testing.T, url string, body *vendors.Body) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = body.Size()
	return r
}

// TestSelfieIsGivenBackBeforeTheAnswerOverHTTP2: there, net/http closes a
// request's body only after the exchange.
func TestSelfieIsGivenBackBeforeTheAnswerOverHTTP2(t *testing.T) {
	selfie := vendortest.NewSelfie(200 << 10)
	url, client := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		select {
		case <-selfie.Closed():
		case <-time.After(5 * time.Second):
			w.WriteHeader(http.StatusInsufficientStorage)
		}
		_, _ = io.WriteString(w, r.Proto)
	}, func(s *httptest.Server) { s.EnableHTTP2 = true })

	answer, err := vendors.Exchange(client, post(t.Context(), t, url, vendors.NewBody([]byte("a"), selfie, []byte("b"))), 100)
	if err != nil || answer.Err != nil {
		t.Fatal(err, answer.Err)
	}
	if answer.Status != http.StatusOK || string(answer.Body) != "HTTP/2.0" {
		t.Errorf("HTTP %d %s, want 200 HTTP/2.0", answer.Status, answer.Body)
	}
	if faults := selfie.Faults(); faults != nil {
		t.Error(faults)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	url, client := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	})
	body := vendors.NewBody([]byte("x"), nil, nil)
	answer, err := vendors.Exchange(client, post(t.Context(), t, url, body), 100)
	if err == nil || answer.Reached {
		t.Errorf("error %v, reached %v; want an error before anything is sent", err, answer.Reached)
	}
}

func TestUntrustedVendorCanBeTold(t *testing.T) {
	url, _ := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, func(*httptest.Server) {})
	client := vendors.NewHTTPClient(vendors.HTTPOptions{})
	defer client.CloseIdleConnections()
	answer, err := vendors.Exchange(client, post(t.Context(), t, url, vendors.NewBody([]byte("x"), nil, nil)), 100)
	if !errors.Is(err, vendors.ErrUntrusted) || answer.Reached {
		t.Errorf("error %v, reached %v; want ErrUntrusted before anything is sent", err, answer.Reached)
	}
}

func TestClientKeepsNoCookieAndFollowsNoRedirect(t *testing.T) {
	var arrivals, cookies atomic.Int64
	url, client := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		arrivals.Add(1)
		cookies.Add(int64(len(r.Cookies())))
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}, func(*httptest.Server) {})
	for range 2 {
		answer, err := vendors.Exchange(client, post(t.Context(), t, url, vendors.NewBody([]byte("x"), nil, nil)), 1<<10)
		if err != nil || answer.Status != http.StatusFound {
			t.Fatalf("HTTP %d and %v, want 302", answer.Status, err)
		}
	}
	if arrivals.Load() != 2 || cookies.Load() != 0 {
		t.Errorf("%d requests with %d cookies, want 2 without", arrivals.Load(), cookies.Load())
	}
}

// TestAsManyConnectionsAreKeptAsCallsMayBeInFlight: net/http keeps two per host
// unless told otherwise, and opens the others anew each time.
func TestAsManyConnectionsAreKeptAsCallsMayBeInFlight(t *testing.T) {
	const calls = 6
	var opened atomic.Int64
	arrived, answer := make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-answer
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := vendors.NewHTTPClient(vendors.HTTPOptions{MaxInFlight: calls})
	defer client.CloseIdleConnections()

	for range 3 {
		done := make(chan error, calls)
		for range calls {
			r := post(t.Context(), t, server.URL, vendors.NewBody([]byte("x"), nil, nil))
			go func() {
				_, err := vendors.Exchange(client, r, 10)
				done <- err
			}()
		}
		for range calls {
			<-arrived
		}
		for range calls {
			answer <- struct{}{}
		}
		for range calls {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := opened.Load(); n > calls+2 {
		t.Errorf("three rounds of %d calls at once took %d connections", calls, n)
	}
}

func TestAnswerIsCutAtTheLimit(t *testing.T) {
	for _, c := range []struct {
		length int
		err    error
	}{{10, nil}, {11, vendors.ErrAnswerTooLong}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, c.length))
		}))
		client := vendors.NewHTTPClient(vendors.HTTPOptions{})
		answer, err := vendors.Exchange(client, post(t.Context(), t, server.URL, vendors.NewBody([]byte("x"), nil, nil)), 10)
		if err != nil || !errors.Is(answer.Err, c.err) || len(answer.Body) != 10 {
			t.Errorf("answer of %d: %d bytes, %v, %v; want 10, %v", c.length, len(answer.Body), answer.Err, err, c.err)
		}
		client.CloseIdleConnections()
		server.Close()
	}
}

// TestRequestWithoutBodyIsReachedOnceConnected: a DELETE is all headers.
func TestRequestWithoutBodyIsReachedOnceConnected(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	client := vendors.NewHTTPClient(vendors.HTTPOptions{})
	defer client.CloseIdleConnections()
	for _, want := range []bool{true, false} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := vendors.Exchange(client, r, 10)
		if err == nil || answer.Reached != want {
			t.Errorf("reached %v with error %v, want %v and an error", answer.Reached, err, want)
		}
		server.Close() // the second time nobody listens
	}
}

// roundTrip is a transport that does not look at the context by itself.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNothingIsSentWhenItIsTooLate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, io.EOF
	})}
	selfie := vendortest.NewSelfie(10)
	answer, err := vendors.Exchange(client, post(ctx, t, "http://vendor.invalid", vendors.NewBody(nil, selfie, nil)), 10)
	if !errors.Is(err, context.Canceled) || answer.Reached {
		t.Errorf("error %v, reached %v", err, answer.Reached)
	}
	if faults := selfie.Faults(); faults != nil {
		t.Error(faults)
	}
}
