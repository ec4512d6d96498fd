package pipeline

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

func TestPausedVendorIsNotCalledAndItsRequestsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) { c.MaxOpen, l.Windows = 20, perSecond(10) })
		for i := range 120 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(3 * time.Second)
		w.topics.give(orderOf(ledger.Pause, "", 0))
		settle(time.Second)
		called := len(w.vendor.called())
		if called == 0 || called > 31 {
			t.Fatalf("%d calls in three seconds at 10/s", called)
		}
		if !w.PausedByOrder(event.Argos) || w.PausedByOrder(event.Faceki) {
			t.Error("it is not said that the one vendor is paused")
		}
		settle(3 * time.Hour)
		wantCallsByNow(t, w, called)
		w.mu.Lock()
		for id, s := range w.shards {
			if n := len(s.room); n != 20 {
				t.Errorf("%d requests open on shard %d: fetching does not pause at the bound", n, id)
			}
		}
		w.mu.Unlock()
		if n := w.lines[event.Argos]; len(n.preparing) > 1 {
			t.Errorf("%d requests are being prepared, with their selfies", len(n.preparing))
		}
		if owned, _, assigned := w.Shards(); owned != 3 || !assigned {
			t.Errorf("%d shards owned", owned)
		}
		w.topics.give(orderOf(ledger.Resume, "", 0))
		settle(2 * time.Second)
		if n := len(w.vendor.called()) - called; n < 15 {
			t.Errorf("%d calls in the two seconds after the pause", n)
		}
		settle(time.Minute)
		if w.PausedByOrder(event.Argos) {
			t.Error("it is still said to be paused")
		}
		wantOncePerRequest(t, w, 120)
		for _, r := range w.results() {
			if r.Attempts != 1 || r.Calls != 1 {
				t.Errorf("%s took %d attempts and %d calls: waiting is no attempt", r.RequestID, r.Attempts, r.Calls)
			}
		}
		w.shut()
	})
}

func TestRequestsTurnBackWithTheirSelfiesWhenTheVendorIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := 0
		w := join(t, newFakeTopics(), &fakeVendor{}, func(_ *Config, l *vendors.LaneConfig) {
			l.Windows = []vendors.Window{{Count: 1, Per: 10 * time.Second}}
		})
		w.parts.FetchSelfie = countingSelfies(&held, w.parts.FetchSelfie)
		w.assign([]int{0, 1, 2}, nil, nil)
		for i := range 10 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(5 * time.Second)
		if held < 9 {
			t.Fatalf("%d selfies held by requests that wait for permits", held)
		}
		w.topics.give(orderOf(ledger.Pause, "", 0))
		settle(time.Second)
		if held != 0 {
			t.Errorf("%d selfies held during a pause", held)
		}
		w.shut()
	})
}

// countingSelfies counts the selfies that are held.
func countingSelfies(held *int, fetch func(context.Context, storage.Ref) (Selfie, error)) func(context.Context, storage.Ref) (Selfie, error) {
	var mu sync.Mutex
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		*held += n
	}
	return func(ctx context.Context, ref storage.Ref) (Selfie, error) {
		selfie, err := fetch(ctx, ref)
		if err != nil {
			return nil, err
		}
		count(1)
		return countedSelfie{selfie, sync.OnceFunc(func() { count(-1) })}, nil
	}
}

type countedSelfie struct {
	Selfie
	released func()
}

func (s countedSelfie) Release() { s.released() }

func TestPauseSurvivesACrashAndATakeover(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint("signal lost ", lost), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t, findingVendor{&fakeVendor{delay: time.Second}}, nil)
				pause := orderOf(ledger.Pause, "", 0)
				for i := range 30 {
					a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				settle(500 * time.Millisecond)
				for i := range 30 {
					a.send(i%3, fmt.Sprint("s-", i), fmt.Sprint("tub-", i))
				}
				a.topics.give(pause)
				settle(100 * time.Millisecond)
				called := len(a.vendor.called())
				a.commit()
				a.kill()
				if lost {
					deaf(a.topics)
					b.kill()
					b = join(t, a.topics, findingVendor{a.vendor}, nil)
				}
				b.assign([]int{0, 1, 2}, nil, nil)
				settle(3 * time.Hour)
				wantCallsByNow(t, b, called)
				resume := orderOf(ledger.Resume, "", 0)
				b.obey(resume)
				settle(5 * time.Minute)
				wantOncePerRequest(t, b, 60)
				wantCalls(t, b, 1)
				b.shut()
			})
		})
	}
}

// Nobody knows of the calls but the former owner: one that was claimed and kept
// from being made by the pause must not look as if it had been made.
func TestClaimedRequestIsNotHeldForLostByAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		change := func(c *Config, _ *vendors.LaneConfig) { c.HoldUnknown = true }
		a, b := pair(t, &fakeVendor{}, change)
		pause := orderOf(ledger.Pause, "", 0)
		claims := 0
		a.topics.write = func(recs []event.Record) error {
			if r, err := ledger.Decode(recs[0].Value); err == nil && r.Step == ledger.Claimed && claims == 0 {
				claims++
				a.topics.give(pause)
				time.Sleep(time.Millisecond) // until it is heard
			}
			return nil
		}
		a.send(0, "r-1", "sub-1")
		settle(time.Minute)
		if claims != 1 {
			t.Fatalf("%d claims", claims)
		}
		a.commit()
		a.kill()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Hour)
		wantCallsByNow(t, b, 0)
		b.topics.give(orderOf(ledger.Resume, "", 0))
		settle(time.Minute)
		if rs := b.results(); len(rs) != 1 || rs[0].Outcome != event.Approved {
			t.Errorf("results %+v, want an approval", rs)
		}
		b.shut()
	})
}

func TestAnswersArePublishedThoughTheirVendorIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		a.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				<-a.take.Done() // and dies over it
				return context.Canceled
			}
			return nil
		}
		a.send(0, "r-1", "sub-1")
		settle(time.Second)
		a.commit()
		a.kill()
		a.topics.mu.Lock()
		a.topics.write = nil
		a.topics.mu.Unlock()
		b.topics.give(orderOf(ledger.Pause, "", 0))
		settle(time.Second)
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(5 * time.Minute)
		wantOncePerRequest(t, b, 1)
		wantCallsByNow(t, b, 1)
		b.shut()
	})
}

func TestChangedVerdictsOfAPausedVendorAreLookedIntoOnResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		v.poll = time.Second
		w := hosted(t, v)
		w.send(0, "r-1", "sub-1")
		v.decide("fav_sub-1_1", event.Approved)
		settle(time.Hour)
		w.topics.give(orderOf(ledger.Pause, "", 0))
		settle(time.Second)
		v.decide("fav_sub-1_1", event.Rejected)
		tell(t, w, "fav_sub-1_1", event.Rejected)
		settle(time.Hour)
		if v.asked != 0 {
			t.Errorf("a paused vendor was asked %d times", v.asked)
		}
		w.topics.give(orderOf(ledger.Resume, "", 0))
		settle(time.Minute)
		if rs := finalResults(t, w); len(rs) != 2 || rs[1].Outcome != event.Rejected {
			t.Errorf("results %+v, want the changed one", rs)
		}
		w.shut()
	})
}

func TestPausesShowInTheMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.topics.give(orderOf(ledger.Pause, "", 0))
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		w.topics.give(orderOf(ledger.Pause, "d", 0))
		settle(time.Second)
		err := testutil.CollectAndCompare(shardCollector{w.Pipeline}, strings.NewReader(`
# HELP reauth_paused_by_order Vendors and campaigns that are paused by an operator's order.
# TYPE reauth_paused_by_order gauge
reauth_paused_by_order{target="campaign"} 2
reauth_paused_by_order{target="vendor"} 1
`), "reauth_paused_by_order")
		if err != nil {
			t.Error(err)
		}
		w.shut()
	})
}
