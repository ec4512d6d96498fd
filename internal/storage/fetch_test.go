package storage

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"reauth/internal/event"
	"reauth/internal/storage/storagetest"
	"reauth/internal/vendors"
)

var _ vendors.Selfie = (*Selfie)(nil)

// fakeS3 is an S3 in process with the bucket selfies. It counts the connections
// made to it.
type fakeS3 struct {
	url         string
	backend     *s3mem.Backend
	connections atomic.Int64
}

func newFakeS3(t *testing.T) *fakeS3 {
	t.Helper()
	f := &fakeS3{backend: s3mem.New()}
	if err := f.backend.CreateBucket("selfies"); err != nil {
		t.Fatal(err)
	}
	f.url = serve(t, gofakes3.New(f.backend).Server().ServeHTTP, &f.connections)
	return f
}

func (f *fakeS3) put(t *testing.T, bucket, key string, content []byte) {
	t.Helper()
	if _, err := f.backend.PutObject(bucket, key, nil, bytes.NewReader(content), int64(len(content)), nil); err != nil {
		t.Fatal(err)
	}
}

// serve runs handler until the test ends and returns its URL; connections, if
// not nil, counts those made.
func serve(t testing.TB, handler http.HandlerFunc, connections *atomic.Int64) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew && connections != nil {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// serveContent serves content, as S3 does, under every key.
func serveContent(t testing.TB, content []byte) string {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { writeObject(w, content) }, nil)
}

// wantError returns err as an *Error, and fails the test unless it has the kind
// and reason given.
func wantError(t *testing.T, err error, kind Kind, reason event.Reason) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want %v", err, kind)
	}
	if e.Kind != kind || e.Reason != reason {
		t.Fatalf("error is %v %q, want %v %q (%v)", e.Kind, e.Reason, kind, reason, err)
	}
	return e
}

func TestFetchBringsTheObject(t *testing.T) {
	s3 := newFakeS3(t)
	store := openStore(t, Config{Endpoint: s3.url, MaxBytes: 1 << 20})
	for name, picture := range map[string][]byte{
		"small jpeg":       storagetest.JPEG(1, 2_000),
		"exactly a chunk":  storagetest.JPEG(2, chunkSize),
		"a chunk and one":  storagetest.JPEG(3, chunkSize+1),
		"many chunks":      storagetest.JPEG(4, 1_000_000),
		"as large as can":  storagetest.JPEG(5, 1<<20),
		"png":              storagetest.PNG(6, 100_000),
		"ümlaut + 100%/#?": storagetest.JPEG(7, 3_000),
	} {
		t.Run(name, func(t *testing.T) {
			s3.put(t, "selfies", name, picture)
			selfie, err := store.Fetch(t.Context(), Ref{Key: name})
			if err != nil {
				t.Fatal(err)
			}
			body := selfie.Body()
			defer body.Close()
			content, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(content, picture) {
				t.Errorf("read %d bytes, equal %v: %v", len(content), bytes.Equal(content, picture), err)
			}
			sum := sha256.Sum256(picture)
			if got := selfie.SHA256(); got != sum {
				t.Errorf("SHA256 is %x", got)
			}
			if selfie.Size() != int64(len(picture)) {
				t.Errorf("Size is %d", selfie.Size())
			}
		})
	}
}

func TestFetchTellsTheTypeFromTheContent(t *testing.T) {
	for want, picture := range map[string][]byte{
		"image/jpeg": storagetest.JPEG(1, 10_000),
		"image/png":  storagetest.PNG(1, 10_000),
	} {
		store := openStore(t, Config{Endpoint: serveContent(t, picture)})
		selfie, err := store.Fetch(t.Context(), Ref{Key: "selfie.gif"})
		if err != nil {
			t.Fatal(err)
		}
		defer selfie.Release()
		if got := selfie.ContentType(); got != want {
			t.Errorf("ContentType is %s, want %s", got, want)
		}
	}
}

func TestFetchReadsAllowedBucketsOnly(t *testing.T) {
	s3 := newFakeS3(t)
	for _, bucket := range []string{"archive", "secrets"} {
		if err := s3.backend.CreateBucket(bucket); err != nil {
			t.Fatal(err)
		}
		s3.put(t, bucket, "a.jpg", storagetest.JPEG(1, 2_000))
	}
	store := openStore(t, Config{Endpoint: s3.url, AllowedBuckets: []string{"archive", "selfies"}})

	selfie, err := store.Fetch(t.Context(), Ref{Bucket: "archive", Key: "a.jpg"})
	if err != nil {
		t.Fatal(err)
	}
	selfie.Release()

	before := s3.connections.Load()
	_, err = store.Fetch(t.Context(), Ref{Bucket: "secrets", Key: "a.jpg"})
	wantError(t, err, Refused, event.SelfieForbidden)
	if s3.connections.Load() != before {
		t.Error("the store was asked for a bucket that is not allowed")
	}
}

func TestFetchReusesOneConnection(t *testing.T) {
	s3 := newFakeS3(t)
	s3.put(t, "selfies", "a.jpg", storagetest.JPEG(1, 200_000))
	s3.put(t, "selfies", "a.txt", []byte("not an image"))
	store := openStore(t, Config{Endpoint: s3.url})
	for range 5 {
		for _, key := range []string{"a.jpg", "a.txt", "missing"} {
			if selfie, err := store.Fetch(t.Context(), Ref{Key: key}); err == nil {
				selfie.Release()
			}
		}
	}
	if n := s3.connections.Load(); n != 1 {
		t.Errorf("15 fetches made %d connections", n)
	}
}

func TestFetchKeepsAConnectionPerConcurrentFetch(t *testing.T) {
	const fetches = 40
	var connections atomic.Int64
	picture := storagetest.JPEG(1, 5_000)
	all := newCrowd()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		all.wait(r)
		writeObject(w, picture)
	}, &connections)
	store := openStore(t, Config{Endpoint: url, Concurrency: fetches, MaxBytes: 64 << 10, Timeout: time.Minute})
	for range 3 {
		all.fetch(t, store, fetches)
	}
	// A connection may be handed back a moment after its fetch ended, and
	// then one more is made; with net/http's limit of two it would be 116.
	if n := connections.Load(); n > 2*fetches {
		t.Errorf("%d connections for %d fetches at once", n, fetches)
	}
}
