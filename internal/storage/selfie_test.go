package storage

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/storage/storagetest"
)

func wantNothingReserved(t *testing.T, s *Store) {
	t.Helper()
	if got := testutil.ToFloat64(s.metrics.bytes); got != 0 {
		t.Errorf("%v bytes are reserved", got)
	}
	if !s.memory.sem.TryAcquire(s.memory.limit) {
		t.Fatal("not all memory can be had")
	}
	s.memory.sem.Release(s.memory.limit)
}

// fetchOne returns a store and a selfie of 300 KB in it.
func fetchOne(t *testing.T) (*Store, *Selfie, []byte) {
	t.Helper()
	picture := storagetest.JPEG(1, 300_000)
	store := openStore(t, Config{Endpoint: serveContent(t, picture)})
	selfie, err := store.Fetch(t.Context(), Ref{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	return store, selfie, picture
}

func TestSelfieHoldsItsMemoryUntilTheBodyIsClosed(t *testing.T) {
	store, selfie, _ := fetchOne(t)
	if got := testutil.ToFloat64(store.metrics.bytes); got != 5*chunkSize {
		t.Errorf("%v bytes are reserved for 300,000", got)
	}
	if err := selfie.Body().Close(); err != nil {
		t.Fatal(err)
	}
	wantNothingReserved(t, store)
	selfie.Release() // may come after all
	wantNothingReserved(t, store)
}

func TestReleaseGivesMemoryBackOnce(t *testing.T) {
	store, selfie, _ := fetchOne(t)
	selfie.Release()
	selfie.Release()
	wantNothingReserved(t, store)
	if _, err := selfie.Body().Read(make([]byte, 1)); !errors.Is(err, ErrReleased) {
		t.Errorf("reading a released selfie: %v", err)
	}
}

func TestBodyIsHandedOutOnce(t *testing.T) {
	_, selfie, picture := fetchOne(t)
	first, second := selfie.Body(), selfie.Body()
	if _, err := second.Read(make([]byte, 1)); !errors.Is(err, ErrBodyTaken) {
		t.Errorf("second body: %v", err)
	}
	second.Close()
	content, err := io.ReadAll(first)
	if err != nil || !bytes.Equal(content, picture) {
		t.Errorf("first body, after the second was closed: %d bytes, %v", len(content), err)
	}
	first.Close()
}

func TestReadersTakeNothing(t *testing.T) {
	store, selfie, picture := fetchOne(t)
	for range 2 {
		reader := selfie.Reader()
		if content, err := io.ReadAll(reader); err != nil || !bytes.Equal(content, picture) {
			t.Fatalf("%d bytes and %v, want the whole selfie", len(content), err)
		}
		if _, closes := reader.(io.Closer); closes {
			t.Error("a reader can be closed")
		}
	}
	late, body := selfie.Reader(), selfie.Body()
	if content, err := io.ReadAll(body); err != nil || !bytes.Equal(content, picture) {
		t.Errorf("the body after two readers: %d bytes and %v", len(content), err)
	}
	if got := testutil.ToFloat64(store.metrics.bytes); got == 0 {
		t.Error("a reader's end gave the memory back")
	}
	body.Close()
	wantNothingReserved(t, store)
	if _, err := late.Read(make([]byte, 1)); !errors.Is(err, ErrReleased) {
		t.Errorf("a reader of a released selfie: %v", err)
	}
}

// TestCloseDuringReadLeavesNoWindow reads and closes at once while somebody else
// writes into the same chunks: what is read is the selfie's or nothing. The race
// detector sees a chunk that is read after it was given back.
func TestCloseDuringReadLeavesNoWindow(t *testing.T) {
	picture := storagetest.JPEG(1, 300_000)
	store := openStore(t, Config{Endpoint: serveContent(t, picture), MaxBytes: 320 << 10, MaxMemory: 320 << 10})
	for range 20 {
		selfie, err := store.Fetch(t.Context(), Ref{Key: "a"})
		if err != nil {
			t.Fatal(err)
		}
		body := selfie.Body()
		var wg sync.WaitGroup
		start := make(chan struct{})
		wg.Go(func() {
			<-start
			content, err := io.ReadAll(body)
			if err != nil && !errors.Is(err, ErrReleased) {
				t.Errorf("reading: %v", err)
			}
			if !bytes.HasPrefix(picture, content) {
				t.Error("read bytes that are not the selfie's")
			}
		})
		wg.Go(func() {
			<-start
			body.Close()
			next, err := store.memory.reserve(t.Context(), 300_000)
			if err != nil {
				t.Error(err)
				return
			}
			for room := next.room(chunkSize); room != nil; room = next.room(chunkSize) {
				clear(room)
				next.wrote(len(room))
			}
			next.release()
		})
		close(start)
		wg.Wait()
	}
}

// TestTransportReleasesASentSelfie: the vendor has the selfie and thinks; the
// memory is free already.
func TestTransportReleasesASentSelfie(t *testing.T) {
	store, selfie, picture := fetchOne(t)
	received, think := make(chan []byte), make(chan struct{})
	vendor := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		received <- content
		<-think
	}, nil)
	closed := make(chan struct{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, vendor, closeSignal{selfie.Body(), closed})
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = selfie.Size()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answered := make(chan error, 1)
	go func() {
		answer, err := transport.RoundTrip(request)
		if err == nil {
			answer.Body.Close()
		}
		answered <- err
	}()
	if !bytes.Equal(<-received, picture) {
		t.Error("the vendor got other bytes")
	}
	<-closed
	wantNothingReserved(t, store)
	close(think)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// closeSignal tells when it has been closed.
type closeSignal struct {
	io.ReadCloser
	closed chan<- struct{}
}

func (c closeSignal) Close() error {
	err := c.ReadCloser.Close()
	close(c.closed)
	return err
}
