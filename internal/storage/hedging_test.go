package storage

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/storage/storagetest"
)

// pipes is a listener without a network, so that its time can be fake.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.dialed <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hedging returns a store that hedges, in front of a handler on fake time. end
// closes both.
func hedging(t *testing.T, c Config, handler http.Handler) (store *Store, end func()) {
	t.Helper()
	listener := &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Hour}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	c.Endpoint = "http://store.invalid"
	store = openStore(t, c)
	store.client.transport.DialContext = listener.dial
	return store, func() {
		store.Close()
		server.Close()
		<-served
		time.Sleep(time.Minute) // fake time, for the handlers' ends
	}
}

// take fetches a selfie, gives it back, and returns how long that took.
func take(t *testing.T, s *Store) time.Duration {
	t.Helper()
	begun := time.Now()
	selfie, err := s.Fetch(t.Context(), Ref{Key: "scripted/20KB.jpg"})
	if err != nil {
		t.Fatal(err)
	}
	selfie.Release()
	return time.Since(begun)
}

func (s *Store) hedged(result string) float64 {
	return testutil.ToFloat64(s.metrics.hedges.WithLabelValues(result))
}

// script is a store that answers after a delay by number of the GET, 10 ms if
// none is set, with a selfie and version of that GET's own.
type script struct {
	gets    atomic.Int64
	delays  map[int64]time.Duration
	refuses map[int64]int
	broken  map[int64]bool
	odd     map[int64]bool // answered with what is no picture
	ended   atomic.Int64   // GETs whose client went away
}

func (s *script) picture(nth int64) []byte { return storagetest.JPEG(uint64(nth), 20_000) }

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nth := s.gets.Add(1)
	delay := 10 * time.Millisecond
	if d, set := s.delays[nth]; set {
		delay = d
	}
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		s.ended.Add(1)
		return
	}
	if status := s.refuses[nth]; status != 0 {
		writeRefusal(w, status, "NoSuchKey")
		return
	}
	if s.odd[nth] {
		writeObject(w, []byte("<html>Please log in.</html>"))
		return
	}
	if s.broken[nth] {
		w.Header().Set("Content-Length", "20000")
		_, _ = w.Write(s.picture(nth)[:10_000])
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("X-Amz-Version-Id", fmt.Sprint("v", nth))
	writeObject(w, s.picture(nth))
}

// warm makes enough fetches for an estimate and a budget of two hedges.
const warm = 40

func warmed(t *testing.T, c Config, s *script) (*Store, func()) {
	t.Helper()
	c.Hedge = true
	store, end := hedging(t, c, s)
	for range warm {
		take(t, store)
	}
	return store, end
}
