package vendors_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"reauth/internal/vendors"
)

// gateway is a vendor's front over TLS that answers calls in rounds, so that all
// of a round are in flight at once, and knows its connections.
type gateway struct {
	server *httptest.Server
	client *http.Client

	arrived, answer chan struct{}

	mu      sync.Mutex // guards what follows
	open    map[net.Conn]bool
	opened  int
	resumed map[string]bool // by the client's address: whether its TLS session was resumed
	protos  []string
}

func newGateway(t *testing.T, maxInFlight int, http2 *http.HTTP2Config) *gateway {
	t.Helper()
	g := &gateway{
		arrived: make(chan struct{}), answer: make(chan struct{}),
		open: map[net.Conn]bool{}, resumed: map[string]bool{},
	}
	g.server = httptest.NewUnstartedServer(http.HandlerFunc(g.serve))
	g.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	g.server.EnableHTTP2, g.server.Config.HTTP2 = http2 != nil, http2
	g.server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		g.mu.Lock()
		defer g.mu.Unlock()
		switch state {
		case http.StateNew:
			g.opened++
			g.open[c] = true
		case http.StateClosed, http.StateHijacked:
			delete(g.open, c)
		}
	}
	g.server.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(g.server.Certificate())
	g.client = vendors.NewHTTPClient(vendors.HTTPOptions{MaxInFlight: maxInFlight, RootCAs: roots})
	t.Cleanup(func() {
		g.client.CloseIdleConnections()
		g.server.Close()
	})
	return g
}

func (g *gateway) serve(_ http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.resumed[r.RemoteAddr] = r.TLS.DidResume
	g.protos = append(g.protos, r.Proto)
	g.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body) // net/http does not notice before that a client has gone
	gone := r.Context().Done()         // when a call has failed, and with it the test
	select {
	case g.arrived <- struct{}{}:
	case <-gone:
	}
	select {
	case <-g.answer:
	case <-gone:
	}
}

// round makes calls that are all in flight at once, and returns how many
// connections were opened for them and how many TLS sessions resumed.
func (g *gateway) round(t *testing.T, calls int) (opened, resumed int) {
	t.Helper()
	g.mu.Lock()
	before := g.opened
	clear(g.resumed)
	g.mu.Unlock()
	done := make(chan error, calls)
	for range calls {
		r := post(t.Context(), t, g.server.URL, vendors.NewBody([]byte("x"), nil, nil))
		go func() {
			_, err := vendors.Exchange(g.client, r, 10)
			done <- err
		}()
	}
	for range calls {
		select {
		case <-g.arrived:
		case err := <-done:
			t.Fatalf("a call ended before all had arrived: %v", err)
		}
	}
	for range calls {
		g.answer <- struct{}{}
	}
	for range calls {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, did := range g.resumed {
		if did {
			resumed++
		}
	}
	return g.opened - before, resumed
}

// hangUp closes every connection, as a gateway does with idle ones, and waits for
// the client to know.
func (g *gateway) hangUp() {
	g.client.CloseIdleConnections()
	g.server.CloseClientConnections()
}

func TestConnectionsAreKeptAtFullConcurrency(t *testing.T) {
	const calls = 128 // more at once do not come through their handshakes in time on a slow machine
	g := newGateway(t, calls, nil)
	if opened, _ := g.round(t, calls); opened != calls {
		t.Errorf("the first %d calls at once opened %d connections", calls, opened)
	}
	for range 3 {
		// A connection may be put back a moment after its call has ended.
		if opened, _ := g.round(t, calls); opened > calls/20 {
			t.Errorf("%d calls at once opened %d connections more", calls, opened)
		}
	}
	if slices.Contains(g.protos, "HTTP/2.0") {
		t.Error("HTTP/2 was spoken, and not offered")
	}
}

// After a gateway hung up on all calls at once, none pays for a full handshake.
func TestSessionsAreResumedAfterTheVendorHungUp(t *testing.T) {
	const calls = 64
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, calls, nil)
			g.client.Transport.(*http.Transport).TLSClientConfig.MaxVersion = version
			g.round(t, calls)
			g.hangUp()
			if opened, resumed := g.round(t, calls); opened != calls || resumed != calls {
				t.Errorf("%d connections were opened, of which %d resumed a session; want %d", opened, resumed, calls)
			}
		})
	}
}

// Over HTTP/2 a vendor bounds the calls on one connection. What is beyond that
// gets another one and does not queue: a call that waits for a stream would
// leave after its slot. That all calls of a round arrive shows it.
func TestCallsBeyondAConnectionsStreamsOpenAnother(t *testing.T) {
	const calls, streams = 256, 100
	g := newGateway(t, calls, &http.HTTP2Config{MaxConcurrentStreams: streams})
	g.round(t, 1) // so that the client knows what is spoken
	if opened, _ := g.round(t, calls); opened < calls/streams || opened > calls {
		t.Errorf("%d calls at once opened %d connections", calls, opened)
	}
	if opened, _ := g.round(t, calls); opened > 0 {
		t.Errorf("%d calls at once opened %d connections more", calls, opened)
	}
	for _, proto := range g.protos {
		if proto != "HTTP/2.0" {
			t.Fatalf("%s was spoken", proto)
		}
	}
}
