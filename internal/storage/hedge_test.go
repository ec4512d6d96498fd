package storage

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/sandbox/s3sim"
	"reauth/internal/storage/storagetest"
)

func TestSlowFetchIsOvertakenByItsHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{delays: map[int64]time.Duration{warm + 1: 8 * time.Second}}
		store, end := warmed(t, Config{}, s)
		defer end()
		begun := time.Now()
		selfie, err := store.Fetch(t.Context(), Ref{Key: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != hedgeSooner+10*time.Millisecond {
			t.Errorf("the fetch took %v", took)
		}
		// All of it is from the second answer.
		want := s.picture(warm + 2)
		sum := sha256.Sum256(want)
		content, err := io.ReadAll(selfie.Reader())
		if err != nil || !bytes.Equal(content, want) || selfie.SHA256() != sum || selfie.Version() != fmt.Sprint("v", warm+2) {
			t.Errorf("%d bytes of version %s, equal %v: %v", len(content), selfie.Version(), bytes.Equal(content, want), err)
		}
		synctest.Wait()
		if s.ended.Load() != 1 {
			t.Error("the first GET goes on")
		}
		selfie.Release()
		wantNothingReserved(t, store)
		if won := store.hedged(hedgeWon); won != 1 {
			t.Errorf("%v hedges won", won)
		}
	})
}

func TestHedgeThatIsSlowerIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{delays: map[int64]time.Duration{warm + 1: 50 * time.Millisecond, warm + 2: 5 * time.Second}}
		store, end := warmed(t, Config{}, s)
		defer end()
		begun := time.Now()
		selfie, err := store.Fetch(t.Context(), Ref{Key: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != 50*time.Millisecond || selfie.Version() != fmt.Sprint("v", warm+1) {
			t.Errorf("version %s after %v", selfie.Version(), took)
		}
		selfie.Release()
		wantNothingReserved(t, store) // nor does the loser hold any
		synctest.Wait()
		if s.ended.Load() != 1 || store.hedged(hedgeLost) != 1 {
			t.Errorf("%d GETs were cancelled, %v hedges lost", s.ended.Load(), store.hedged(hedgeLost))
		}
	})
}

func TestHedgeHelpsAFetchThatBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{
			delays: map[int64]time.Duration{warm + 1: 30 * time.Millisecond, warm + 2: 30 * time.Millisecond},
			broken: map[int64]bool{warm + 1: true},
		}
		store, end := warmed(t, Config{}, s)
		defer end()
		if took := take(t, store); took != hedgeSooner+30*time.Millisecond {
			t.Errorf("the fetch took %v", took)
		}
		wantNothingReserved(t, store)
	})
}

func TestHedgesErrorIsNotTheFetchs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{
			delays:  map[int64]time.Duration{warm + 1: time.Second},
			refuses: map[int64]int{warm + 2: http.StatusNotFound},
		}
		store, end := warmed(t, Config{}, s)
		defer end()
		if took := take(t, store); took != time.Second {
			t.Errorf("the fetch took %v", took)
		}
		wantNothingReserved(t, store)
	})
}

func TestHedgeThatBringsNoSelfieDoesNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{delays: map[int64]time.Duration{warm + 1: time.Second}, odd: map[int64]bool{warm + 2: true}}
		store, end := warmed(t, Config{}, s)
		defer end()
		if took := take(t, store); took != time.Second {
			t.Errorf("the fetch took %v", took)
		}
		wantNothingReserved(t, store)
	})
}

// Whichever of two that end together is taken, the other's memory is given back.
func TestBothGETsMayEndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fetches = 200
		var asked sync.Map
		store, end := hedging(t, Config{Hedge: true, Concurrency: 2 * fetches}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			delay := 30 * time.Millisecond
			if _, second := asked.LoadOrStore(r.URL.Path, true); !second {
				delay += hedgeSooner
			}
			time.Sleep(delay) // fake time
			writeObject(w, storagetest.JPEG(1, 2_000))
		}))
		defer end()
		store.hedges.delay, store.hedges.budget = hedgeSooner, hedgeBurst
		store.sizes.observe(2_000)
		var wg sync.WaitGroup
		for i := range fetches {
			wg.Go(func() {
				begun := time.Now()
				selfie, err := store.Fetch(t.Context(), Ref{Key: fmt.Sprint(i)})
				if err != nil {
					t.Error(err)
					return
				}
				selfie.Release()
				if took := time.Since(begun); took != hedgeSooner+30*time.Millisecond {
					t.Errorf("the fetch took %v", took)
				}
			})
		}
		wg.Wait()
		wantNothingReserved(t, store)
	})
}

func TestWhatTheStoreSaysEndsItsHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{
			delays:  map[int64]time.Duration{warm + 1: 30 * time.Millisecond, warm + 2: 5 * time.Second},
			refuses: map[int64]int{warm + 1: http.StatusNotFound},
		}
		store, end := warmed(t, Config{}, s)
		defer end()
		begun := time.Now()
		_, err := store.Fetch(t.Context(), Ref{Key: "a"})
		wantError(t, err, Unusable, "selfie_not_found")
		if took := time.Since(begun); took != 30*time.Millisecond {
			t.Errorf("the refusal took %v", took)
		}
		wantNothingReserved(t, store)
	})
}

func TestNoRoomNoHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{delays: map[int64]time.Duration{warm + 1: time.Second}}
		store, end := warmed(t, Config{MaxBytes: 2 * chunkSize, MaxMemory: 2 * chunkSize}, s)
		defer end()
		held, err := store.memory.reserve(t.Context(), chunkSize)
		if err != nil {
			t.Fatal(err)
		}
		if took := take(t, store); took != time.Second {
			t.Errorf("the fetch took %v", took)
		}
		held.release()
		if s.gets.Load() != warm+1 || store.hedged(hedgeRefused) != 1 {
			t.Errorf("%d GETs, %v hedges refused", s.gets.Load(), store.hedged(hedgeRefused))
		}
	})
}

func TestAStoreThatIsSlowForAllIsNotAskedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		var gets atomic.Int64
		store, end := hedging(t, Config{Hedge: true}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			gets.Add(1)
			if slow.Load() {
				time.Sleep(time.Second) // fake time
			}
			writeObject(w, storagetest.JPEG(1, 2_000))
		}))
		defer end()
		for range warm {
			take(t, store)
		}
		slow.Store(true)
		gets.Store(0)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				for range 5 {
					take(t, store)
				}
			})
		}
		wg.Wait()
		// Two were saved up while warming.
		if extra := gets.Load() - 1000; extra < 2 || extra > 52 {
			t.Errorf("%d second GETs for 1000 fetches", extra)
		}
		if store.hedged(hedgeRefused) == 0 {
			t.Error("no hedge was refused")
		}
		wantNothingReserved(t, store)
	})
}

func TestWithoutHedgingAGETIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{delays: map[int64]time.Duration{warm + 1: 8 * time.Second}}
		store, end := hedging(t, Config{}, s)
		defer end()
		for range warm {
			take(t, store)
		}
		if took := take(t, store); took != 8*time.Second || s.gets.Load() != warm+1 {
			t.Errorf("%d GETs, the last took %v", s.gets.Load(), took)
		}
	})
}

func TestHedgeDelayFollowsTheSlowest(t *testing.T) {
	h := newHedges(10 * time.Second)
	if d := h.begin(); d != 5*time.Second {
		t.Errorf("nothing seen: %v", d)
	}
	see := func(n int, took time.Duration) {
		for range n {
			h.observe(took)
		}
	}
	for i := range 2 * hedgeSample {
		h.observe(time.Duration(i%hedgeSample+1) * time.Millisecond)
	}
	if d := h.begin(); d != 951*time.Millisecond {
		t.Errorf("1 to 1000 ms: %v", d)
	}
	see(2*hedgeSample, time.Millisecond)
	if d := h.begin(); d != hedgeSooner {
		t.Errorf("1 ms each: %v", d)
	}
	see(2*hedgeSample, 9*time.Second)
	if d := h.begin(); d != 5*time.Second {
		t.Errorf("9 s each: %v", d)
	}
}

// tail is the simulator with a latency, of which one request in 50 is stuck for
// as long as stuck.
func tail(t *testing.T, latency string, stuck time.Duration) (*s3sim.Simulator, http.HandlerFunc) {
	t.Helper()
	knobs := s3sim.DefaultKnobs()
	knobs.AccessKeyID = "id"
	if err := knobs.Latency.UnmarshalText([]byte(latency)); err != nil {
		t.Fatal(err)
	}
	sim, err := s3sim.New(s3sim.Config{Knobs: knobs, Buckets: []string{"selfies"}, Prefix: "scripted/", Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(7, 7))
	var mu sync.Mutex
	return sim, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		unlucky := random.IntN(50) == 0
		mu.Unlock()
		if unlucky {
			select {
			case <-time.After(stuck):
			case <-r.Context().Done():
			}
		}
		sim.ServeHTTP(w, r)
	}
}

// TestHedgingCutsTheTail fetches from stores that are slow now and then.
func TestHedgingCutsTheTail(t *testing.T) {
	for name, c := range map[string]struct {
		latency string
		stuck   time.Duration
		most    float64 // share of the p99 without hedging
	}{
		"some are stuck": {"p50=20ms,p99=40ms", time.Second, .2},
		"long tail":      {"p50=20ms,p99=600ms", 0, .7},
	} {
		t.Run(name, func(t *testing.T) {
			percentiles := func(hedge bool) (p50, p99 time.Duration, requests int) {
				synctest.Test(t, func(t *testing.T) {
					sim, handler := tail(t, c.latency, c.stuck)
					defer sim.Close()
					store, end := hedging(t, Config{Hedge: hedge}, handler)
					defer end()
					var took []time.Duration
					for range 1_000 {
						took = append(took, take(t, store))
					}
					slices.Sort(took)
					p50, p99, requests = took[len(took)/2], took[len(took)*99/100], sim.Stats().Requests
					wantNothingReserved(t, store)
				})
				return p50, p99, requests
			}
			p50, p99, requests := percentiles(false)
			h50, h99, hequests := percentiles(true)
			t.Logf("without: p50 %v, p99 %v, %d GETs; with: p50 %v, p99 %v, %d GETs", p50, p99, requests, h50, h99, hequests)
			if float64(h99) > c.most*float64(p99) {
				t.Errorf("p99 is %v, and %v without hedging", h99, p99)
			}
			if hequests > requests+requests/20+hedgeBurst {
				t.Errorf("%d GETs, and %d without hedging", hequests, requests)
			}
		})
	}
}
