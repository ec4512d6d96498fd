package storage

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"reauth/internal/storage/storagetest"
)

// crowd has fetches meet at the store.
type crowd struct{ arrived, proceed chan struct{} }

func newCrowd() crowd { return crowd{make(chan struct{}), make(chan struct{})} }

// wait holds a request until all have arrived, or its client has gone.
func (c crowd) wait(r *http.Request) {
	select {
	case c.arrived <- struct{}{}:
	case <-r.Context().Done():
	}
	select {
	case <-c.proceed:
	case <-r.Context().Done():
	}
}

// fetch makes so many fetches, which the store answers when all have arrived.
func (c crowd) fetch(t *testing.T, store *Store, fetches int) {
	t.Helper()
	done := make(chan error, fetches)
	for range fetches {
		go func() {
			selfie, err := store.Fetch(context.Background(), Ref{Key: "a"})
			if err == nil {
				selfie.Release()
			}
			done <- err
		}()
	}
	for range fetches {
		select {
		case <-c.arrived:
		case err := <-done:
			t.Fatalf("a fetch ended before all had arrived: %v", err)
		}
	}
	for range fetches {
		c.proceed <- struct{}{}
	}
	for range fetches {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// TestSessionsAreResumedAfterTheStoreHungUp: S3 closes connections that are idle
// for some seconds, and then all fetches open theirs at once.
func TestSessionsAreResumedAfterTheStoreHungUp(t *testing.T) {
	const fetches = 64
	picture := storagetest.JPEG(1, 5_000)
	var opened, resumed, other atomic.Int64
	all := newCrowd()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		}
		if r.ProtoMajor != 1 {
			other.Add(1)
		}
		all.wait(r)
		writeObject(w, picture)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	store := openStore(t, Config{Endpoint: server.URL, Concurrency: fetches, MaxBytes: 64 << 10, Timeout: time.Minute})
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	store.client.transport.TLSClientConfig.RootCAs = roots
	store.client.transport.TLSHandshakeTimeout = time.Minute // on a slow machine, so many at once take long

	all.fetch(t, store, fetches)
	server.CloseClientConnections()
	store.client.transport.CloseIdleConnections()
	opened.Store(0)
	resumed.Store(0)
	all.fetch(t, store, fetches)
	if opened.Load() != fetches || resumed.Load() != fetches {
		t.Errorf("%d connections were opened, of which %d resumed a session; want %d", opened.Load(), resumed.Load(), fetches)
	}
	if other.Load() != 0 {
		t.Errorf("%d GETs did not speak HTTP/1.1", other.Load())
	}
}
