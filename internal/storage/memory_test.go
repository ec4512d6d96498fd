package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/storage/storagetest"
)

// TestMemoryStaysWithinItsLimit fetches all at once into far too little memory.
// As chunks are kept, those allocated in the end are the most ever in use.
func TestMemoryStaysWithinItsLimit(t *testing.T) {
	const maxBytes, fetches = 256 << 10, 120
	sizes := []int{2_000, 10_000, 70_000, 130_000, 200_000, maxBytes}
	for name, pick := range map[string]func(int) int{
		"mixed sizes":      func(i int) int { return i % len(sizes) },
		"all the largest":  func(int) int { return len(sizes) - 1 },
		"mostly small":     func(i int) int { return max(0, i%20-14) },
		"random, chunked":  func(int) int { return rand.IntN(len(sizes)) },
		"sizes that shift": func(i int) int { return i * len(sizes) / fetches },
	} {
		t.Run(name, func(t *testing.T) {
			var pictures [][]byte
			for i, size := range sizes {
				pictures = append(pictures, storagetest.JPEG(uint64(i), size))
			}
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if name == "random, chunked" {
					http.NewResponseController(w).Flush()
				}
				writeObject(w, pictures[r.URL.Path[len(r.URL.Path)-1]-'0'])
			}, nil)
			store := openStore(t, Config{Endpoint: url, MaxBytes: maxBytes, MaxMemory: 640 << 10, Concurrency: fetches})
			var wg sync.WaitGroup
			for i := range fetches {
				which := pick(i)
				wg.Go(func() {
					selfie, err := store.Fetch(t.Context(), Ref{Key: string(rune('0' + which))})
					if err != nil {
						t.Error(err)
						return
					}
					body := selfie.Body()
					defer body.Close()
					if content, err := io.ReadAll(body); err != nil || !bytes.Equal(content, pictures[which]) {
						t.Errorf("size %d: read %d bytes: %v", sizes[which], len(content), err)
					}
				})
			}
			wg.Wait()
			if got := testutil.ToFloat64(store.metrics.kept); got > 640<<10 {
				t.Errorf("%v bytes were in use at once", got)
			}
			wantNothingReserved(t, store)
		})
	}
}

func TestChunksAreReused(t *testing.T) {
	store, selfie, _ := fetchOne(t)
	selfie.Release()
	before := testutil.ToFloat64(store.metrics.kept)
	for range 10 {
		selfie, err := store.Fetch(t.Context(), Ref{Key: "a"})
		if err != nil {
			t.Fatal(err)
		}
		selfie.Release()
	}
	if after := testutil.ToFloat64(store.metrics.kept); before != 5*chunkSize || after != before {
		t.Errorf("allocated %v bytes, after ten more fetches %v", before, after)
	}
}

// TestSurplusIsGivenBackWithTheHeaders: the first fetch reserves the maximum,
// which is all there is; once its size is known the second can start, although
// the first has not ended.
func TestSurplusIsGivenBackWithTheHeaders(t *testing.T) {
	picture := storagetest.JPEG(1, 50_000)
	started, finish := make(chan struct{}), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/selfies/slow" {
			w.Header().Set("Content-Length", "50000")
			w.Write(picture[:10_000])
			http.NewResponseController(w).Flush()
			close(started)
			<-finish
			w.Write(picture[10_000:])
			return
		}
		writeObject(w, picture)
	}, nil)
	store := openStore(t, Config{Endpoint: url, MaxBytes: 256 << 10, MaxMemory: 320 << 10})
	slow := make(chan error, 1)
	go func() {
		selfie, err := store.Fetch(t.Context(), Ref{Key: "slow"})
		if err == nil {
			selfie.Release()
		}
		slow <- err
	}()
	<-started
	selfie, err := store.Fetch(t.Context(), Ref{Key: "quick"})
	if err != nil {
		t.Fatal(err)
	}
	selfie.Release()
	close(finish)
	if err := <-slow; err != nil {
		t.Fatal(err)
	}
}

// TestShortReservationIsRepeatedWithTheWholeSize: the estimate has learnt small
// sizes, memory is taken, and a large selfie comes.
func TestShortReservationIsRepeatedWithTheWholeSize(t *testing.T) {
	for name, chunked := range map[string]bool{"length known": false, "length unknown": true} {
		t.Run(name, func(t *testing.T) {
			small, large := storagetest.JPEG(1, 10_000), storagetest.JPEG(2, 250_000)
			var gets atomic.Int64
			brokenOff := make(chan struct{})
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/selfies/small" {
					writeObject(w, small)
					return
				}
				if chunked {
					http.NewResponseController(w).Flush()
				}
				if gets.Add(1) > 1 {
					writeObject(w, large)
					return
				}
				w.Header().Set("Content-Length", "250000")
				w.Write(large[:200_000])
				http.NewResponseController(w).Flush()
				<-r.Context().Done()
				close(brokenOff)
			}, nil)
			store := openStore(t, Config{Endpoint: url, MaxBytes: 256 << 10, MaxMemory: 256 << 10})
			for range 30 {
				selfie, err := store.Fetch(t.Context(), Ref{Key: "small"})
				if err != nil {
					t.Fatal(err)
				}
				selfie.Release()
			}
			taken, err := store.Fetch(t.Context(), Ref{Key: "small"})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				selfie, err := store.Fetch(t.Context(), Ref{Key: "large"})
				if err == nil {
					if selfie.Size() != 250_000 {
						err = errors.New("wrong size")
					}
					selfie.Release()
				}
				done <- err
			}()
			// It does not sit on an open answer until there is memory.
			<-brokenOff
			taken.Release()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if got := testutil.ToFloat64(store.metrics.refetches); got != 1 || gets.Load() != 2 {
				t.Errorf("%v refetches, %d GETs", got, gets.Load())
			}
			wantNothingReserved(t, store)
		})
	}
}

func TestCancelledWaitHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(4*chunkSize, newMetrics())
		defer m.close()
		all, err := m.reserve(t.Context(), m.limit)
		if err != nil {
			t.Fatal(err)
		}
		cause := errors.New("stopping")
		ctx, cancel := context.WithCancelCause(t.Context())
		failed := make(chan error)
		for range 10 {
			go func() {
				_, err := m.reserve(ctx, 2*chunkSize)
				failed <- err
			}()
		}
		synctest.Wait()
		cancel(cause)
		for range 10 {
			if err := <-failed; !errors.Is(err, cause) {
				t.Errorf("error is %v", err)
			}
		}
		all.release()
		again, err := m.reserve(t.Context(), m.limit)
		if err != nil {
			t.Fatal(err)
		}
		again.release()
		if got := testutil.ToFloat64(m.metrics.bytes); got != 0 {
			t.Errorf("%v bytes are reserved", got)
		}
	})
}

func TestReservationsAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(4*chunkSize, newMetrics())
		defer m.close()
		held, err := m.reserve(t.Context(), 3*chunkSize)
		if err != nil {
			t.Fatal(err)
		}
		large := make(chan *buffer, 1)
		go func() {
			b, _ := m.reserve(t.Context(), 4*chunkSize)
			large <- b
		}()
		synctest.Wait()
		if held.fit(4 * chunkSize) {
			t.Error("growing overtook the one who waits: it would starve")
		}
		held.release()
		(<-large).release()
	})
}

func TestIdleChunksAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(10*chunkSize, newMetrics())
		defer m.close()
		use := func(chunks int) {
			b, err := m.reserve(t.Context(), int64(chunks)*chunkSize)
			if err != nil {
				t.Fatal(err)
			}
			for room := b.room(chunkSize); room != nil; room = b.room(chunkSize) {
				b.wrote(len(room))
			}
			b.release()
		}
		kept := func() int { return int(testutil.ToFloat64(m.metrics.kept)) / chunkSize }
		use(10)
		if kept() != 10 {
			t.Fatalf("%d chunks are kept", kept())
		}
		for range 6 { // three are in use all the time
			time.Sleep(trimEvery / 2)
			use(3)
		}
		if kept() != 3 {
			t.Errorf("%d chunks are kept, 3 are needed", kept())
		}
		time.Sleep(3 * trimEvery)
		if kept() != 0 {
			t.Errorf("%d chunks are kept when idle", kept())
		}
		use(2)
		if kept() != 2 {
			t.Errorf("%d chunks are kept after use", kept())
		}
	})
}

func TestSelfiesOutliveTheStore(t *testing.T) {
	store, selfie, picture := fetchOne(t)
	store.Close()
	body := selfie.Body()
	if content, err := io.ReadAll(body); err != nil || !bytes.Equal(content, picture) {
		t.Errorf("read %d bytes: %v", len(content), err)
	}
	body.Close()
	if got := testutil.ToFloat64(store.metrics.kept); got != 0 {
		t.Errorf("%v bytes are kept after Close", got)
	}
}

func TestEstimateFollowsTheSizes(t *testing.T) {
	e := &estimate{max: 5 << 20}
	if e.next() != 5<<20 {
		t.Errorf("before the first size: %d", e.next())
	}
	for range 50 {
		e.observe(100_000)
	}
	if next := e.next(); next < 100_000 || next > 110_000 {
		t.Errorf("after many of 100,000: %d", next)
	}
	below := 0
	for range 2_000 {
		size := int64(80_000 + rand.IntN(40_000))
		if e.next() < size {
			below++
		}
		e.observe(size)
	}
	if below > 20 {
		t.Errorf("%d of 2000 sizes would have cost a second GET", below)
	}
	e.observe(5 << 20)
	if next := e.next(); next > 5<<20 {
		t.Errorf("estimate of %d is above the maximum", next)
	}
}
