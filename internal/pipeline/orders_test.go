package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// orderCount numbers the orders of this process.
var orderCount int

// orderOf returns an order that is given now: one with the value given about a
// campaign, or about Argos if none is named.
func orderOf(kind ledger.OrderKind, campaign string, value float64) ledger.Order {
	orderCount++
	o := ledger.Order{ID: fmt.Sprint("o-", orderCount), Kind: kind, Campaign: campaign, Value: value, IssuedAt: time.Now().UTC()}
	if campaign == "" {
		o.Vendor = event.Argos
	}
	return o
}

// inLedgers writes an order to the ledgers of shards, as the command does.
func (f *fakeTopics) inLedgers(o ledger.Order, shards ...int) {
	for _, shard := range shards {
		f.append(event.Record{Topic: "ledger", Partition: shard, Key: []byte(o.Key()), Value: o.Record().Encode()})
	}
}

// inSignals is the command's signal.
func (f *fakeTopics) inSignals(o ledger.Order) {
	value, err := json.Marshal(signal{Kind: orderKind, Order: &o})
	if err != nil {
		panic(err)
	}
	f.append(event.Record{Topic: "signals", Value: value})
}

// give gives an order to the whole group.
func (f *fakeTopics) give(o ledger.Order) {
	f.inLedgers(o, 0, 1, 2)
	f.inSignals(o)
}

func ofCamp(campaign string) func(*event.Request) {
	return func(r *event.Request) { r.CampaignID = campaign }
}

// deaf hears no signals, as if they were lost.
func deaf(topics *fakeTopics) { topics.holdTopic("signals/0") }

// wantCallsByNow checks how many calls there were so far.
func wantCallsByNow(t *testing.T, w *world, n int) {
	t.Helper()
	if got := len(w.vendor.called()); got != n {
		t.Errorf("%d calls, want %d", got, n)
	}
}

func TestPausedVendorIsNotCalledAndItsRequestsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) { c.MaxOpen, l.PerSecond = 20, 10 })
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
		w := join(t, newFakeTopics(), &fakeVendor{}, func(_ *Config, l *vendors.LaneConfig) { l.PerSecond = .1 })
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

func TestPausedCampaignHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, _ *vendors.LaneConfig) { c.MaxOpen = 5 })
		var fetched atomic.Int64
		w.selfie = func(storage.Ref) error { fetched.Add(1); return nil }
		w.topics.give(orderOf(ledger.Pause, "stopped", 0))
		settle(time.Second)
		for i := range 60 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp("stopped"))
		}
		for i := range 30 {
			w.send(i%3, fmt.Sprint("s-", i), fmt.Sprint("tub-", i), ofCamp("goes"))
		}
		settle(5 * time.Second)
		wantOncePerRequest(t, w, 30)
		wantCallsByNow(t, w, 30)
		for shard := range 3 {
			if n := w.next(shard); n != 30 {
				t.Errorf("next of shard %d is %d: an offset is held", shard, n)
			}
		}
		settle(3 * time.Hour)
		wantCallsByNow(t, w, 30)
		if n := fetched.Load(); n != 30 {
			t.Errorf("%d selfies fetched for 30 calls", n)
		}
		w.topics.give(orderOf(ledger.Resume, "stopped", 0))
		settle(2 * time.Second)
		wantOncePerRequest(t, w, 90)
		for _, r := range w.results() {
			if r.Attempts != 1 || r.Calls != 1 {
				t.Errorf("%s took %d attempts and %d calls", r.RequestID, r.Attempts, r.Calls)
			}
		}
		w.shut()
	})
}

func TestCampaignStopsInTheMiddleAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.PerSecond = 20 })
		for i := range 100 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp("c"))
		}
		settle(2 * time.Second)
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		settle(50 * time.Millisecond)
		called := len(w.vendor.called())
		settle(time.Hour + time.Minute) // they are looked at again once
		wantCallsByNow(t, w, called)
		claims := 0
		for _, rec := range w.topics.written("ledger") {
			if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Claimed {
				claims++
			}
		}
		if claims > called+1 {
			t.Errorf("%d calls were claimed and %d made", claims, called)
		}
		if n := parkedAs(w, whyPaused); n != 100-called {
			t.Errorf("%d records of parkings for %d requests: what waits is written once", n, 100-called)
		}
		w.topics.give(orderOf(ledger.Resume, "c", 0))
		settle(time.Second)
		if n := len(w.vendor.called()) - called; n < 15 {
			t.Errorf("%d calls in the second after the pause, at 20/s", n)
		}
		settle(time.Minute)
		wantOncePerRequest(t, w, 100)
		w.shut()
	})
}

// parkedAs counts the records of parkings for a reason.
func parkedAs(w *world, why string) (n int) {
	for _, rec := range w.topics.written("ledger") {
		if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Parked && r.Why == why {
			n++
		}
	}
	return n
}

func TestPausedCampaignSurvivesItsOwners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), findingVendor{&fakeVendor{}}
		w := join(t, topics, v, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		for i := range 30 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp("c"))
		}
		settle(time.Minute)
		for range 3 {
			w.commit()
			w.kill()
			settle(time.Hour) // so that no signal is read back
			w = join(t, topics, v, nil)
			w.assign([]int{0, 1, 2}, nil, nil)
			settle(90 * time.Minute)
			wantCallsByNow(t, w, 0)
		}
		w.topics.give(orderOf(ledger.Resume, "c", 0))
		settle(2 * time.Second)
		wantOncePerRequest(t, w, 30)
		if n := parkedAs(w, whyPaused); n != 30 {
			t.Errorf("%d records of parkings, want 30", n)
		}
		w.shut()
	})
}

func TestCampaignResumedWhileItsOwnerWasDeadGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		a.topics.give(orderOf(ledger.Pause, "c", 0))
		a.send(0, "r-1", "sub-1", ofCamp("c"))
		settle(time.Minute)
		a.commit()
		a.kill()
		deaf(a.topics)
		b.kill()
		b.topics.give(orderOf(ledger.Resume, "c", 0))
		b = join(t, b.topics, &fakeVendor{}, nil)
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Second)
		wantOncePerRequest(t, b, 1)
		b.shut()
	})
}

func TestRetriesOfAPausedCampaignWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth == 1 {
				return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Transient}
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		w.send(0, "r-1", "sub-1", ofCamp("c"))
		settle(time.Millisecond)
		for len(w.vendor.called()) == 0 {
			settle(time.Millisecond)
		}
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		settle(time.Hour)
		wantCallsByNow(t, w, 1)
		w.topics.give(orderOf(ledger.Resume, "c", 0))
		settle(time.Second)
		if rs := w.results(); len(rs) != 1 || rs[0].Attempts != 2 {
			t.Errorf("results %+v, want one after two attempts", rs)
		}
		w.shut()
	})
}

func TestPersonsOfAPausedCampaignAreLookedAfterOnResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		w := hosted(t, v)
		w.send(0, "r-1", "sub-1", ofCamp("c"))
		settle(time.Minute)
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		v.decide("fav_sub-1_1", event.Approved)
		for range 3 {
			tell(t, w, "fav_sub-1_1", event.Approved)
			settle(time.Minute)
		}
		if n := len(v.calls); n != 2 {
			t.Errorf("%d calls, want the two of before the pause", n)
		}
		w.topics.give(orderOf(ledger.Resume, "c", 0))
		settle(time.Second)
		if rs := finalResults(t, w); len(rs) != 1 || rs[0].Outcome != event.Approved {
			t.Errorf("results %+v", rs)
		}
		w.shut()
	})
}

func TestRequestsOfAPausedCampaignExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		settle(time.Second)
		w.send(0, "r-1", "sub-1", ofCamp("c"), func(r *event.Request) { r.NotAfter = time.Now().Add(5 * time.Minute) })
		w.send(0, "r-2", "sub-2", ofCamp("c"))
		settle(5*time.Minute + time.Second)
		rs := w.results()
		if len(rs) != 1 || rs[0].RequestID != "r-1" || rs[0].Outcome != event.Expired {
			t.Errorf("results %+v, want that r-1 has expired", rs)
		}
		w.shut()
	})
}

func TestWhatIsParkedForPausesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Those that are under way when the bound is reached come on top: 16 being
		// prepared and 4 at the vendor.
		w := setup(t, func(c *Config, l *vendors.LaneConfig) {
			c.MaxOpen, c.MaxHeld, l.PerSecond, l.MaxInFlight = 50, 10, 20, 4
		})
		w.topics.give(orderOf(ledger.Pause, "c", 0))
		settle(time.Second)
		for i := range 90 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp("c"))
		}
		for i := range 30 {
			w.send(i%3, fmt.Sprint("s-", i), fmt.Sprint("tub-", i), ofCamp("goes"))
		}
		settle(3 * time.Hour)
		wantOncePerRequest(t, w, 30)
		if n := w.parking.countHeld(); n < 10 || n > 10+16+4 {
			t.Errorf("%d requests are parked", n)
		}
		if n := parkedAs(w, whyPaused); n != w.parking.countHeld() {
			t.Errorf("%d parkings of %d requests", n, w.parking.countHeld())
		}
		w.topics.give(orderOf(ledger.Resume, "c", 0))
		settle(10 * time.Second)
		wantOncePerRequest(t, w, 120)
		w.shut()
	})
}

// However an order's coming and a request's being put back fall together, none
// is forgotten.
func TestPausesThatComeAndGoLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) { c.MaxHeld, l.PerSecond = 1, 200 })
		for i := range 300 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp(fmt.Sprint("c-", i%2)))
		}
		for i := range 300 {
			settle(time.Millisecond)
			kind := ledger.Pause
			if i%2 == 1 {
				kind = ledger.Resume
			}
			w.obey(orderOf(kind, []string{"c-0", "c-1", ""}[i/2%3], 0))
		}
		settle(10 * time.Second)
		wantOncePerRequest(t, w, 300)
		wantCalls(t, w, 1)
		w.shut()
	})
}

func TestOrderTakenBackWhileARequestIsBeingSetAsideWakesIt(t *testing.T) {
	p := newParking()
	seen := p.released()
	p.release()
	p.hold(waiter{due: time.Now().Add(time.Hour)}, seen)
	if _, due := p.takeDue(); !due {
		t.Error("it waits for an order that has been taken back")
	}
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

// The signal can be lost while an owner takes a shard over and still reads what
// the former one writes.
func TestOrderThatComesDuringATakeoverIsTakenFromTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := newFakeTopics()
		deaf(topics)
		w := join(t, topics, &fakeVendor{}, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Second)
		topics.inLedgers(orderOf(ledger.Pause, "", 0), 2)
		settle(time.Second)
		w.send(0, "r-1", "sub-1")
		settle(time.Hour)
		wantCallsByNow(t, w, 0)
		w.shut()
	})
}

func TestNewestOrderHoldsInWhateverOrderTheyArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var given []ledger.Order
		start := time.Unix(1e9, 0)
		for n := range rapid.IntRange(1, 12).Draw(t, "orders") {
			o := ledger.Order{ID: fmt.Sprint("o-", n), IssuedAt: start.Add(time.Duration(rapid.IntRange(0, 4).Draw(t, "issued")) * time.Second)}
			o.Kind = rapid.SampledFrom([]ledger.OrderKind{ledger.Pause, ledger.Resume, ledger.Weight}).Draw(t, "kind")
			o.Campaign = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "campaign")
			if o.Kind == ledger.Weight {
				o.Value = float64(rapid.IntRange(1, 9).Draw(t, "weight"))
			}
			given = append(given, o)
		}
		one, other := newOrders(), newOrders()
		for _, o := range given {
			one.take(o)
		}
		for _, o := range rapid.Permutation(given).Draw(t, "as they arrive") {
			other.take(o)
		}
		for _, campaign := range []string{"a", "b"} {
			if one.pauses(campaign) != other.pauses(campaign) || one.weight(campaign) != other.weight(campaign) {
				t.Fatal("two replicas that got the same orders disagree")
			}
			last := given[0].IssuedAt.Add(-time.Hour)
			running := map[bool]bool{} // what the newest say; several may be of one time
			for _, o := range given {
				if o.Campaign != campaign || o.Kind == ledger.Weight || o.IssuedAt.Before(last) {
					continue
				}
				if o.IssuedAt.After(last) {
					clear(running)
				}
				last = o.IssuedAt
				running[o.Kind == ledger.Resume] = true
			}
			if len(running) == 1 && running[true] == one.pauses(campaign) {
				t.Fatalf("paused %v, and the newest order says otherwise", one.pauses(campaign))
			}
		}
	})
}

// The command's package writes the same file.
func TestSignalOfTheCommandIsUnderstood(t *testing.T) {
	value, err := os.ReadFile("../../testdata/wire/signal.order.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := decodeSignal(value)
	if err != nil || s.Kind != orderKind || s.Order.Kind != ledger.Rate || s.Order.Vendor != event.Argos || s.Order.Value != 20 {
		t.Errorf("signal %+v, %v", s, err)
	}
}

func TestOutdatedOrderChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pause := orderOf(ledger.Pause, "", 0)
		time.Sleep(time.Second)
		resume := orderOf(ledger.Resume, "", 0)
		w := setup(t, nil)
		w.topics.give(resume)
		w.topics.give(pause)
		settle(time.Second)
		w.send(0, "r-1", "sub-1")
		settle(time.Second)
		wantOncePerRequest(t, w, 1)
		w.shut()
	})
}

func TestSharesFollowTheWeightsOfOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) { c.MaxOpen, l.PerSecond = 1000, 50 })
		w.topics.give(orderOf(ledger.Weight, "heavy", 3))
		settle(time.Second)
		for i := range 600 {
			w.send(i%3, fmt.Sprint("a-", i), fmt.Sprint("heavy-", i), ofCamp("heavy"))
		}
		for i := range 600 {
			w.send(i%3, fmt.Sprint("b-", i), fmt.Sprint("light-", i), ofCamp("light"))
			w.send(i%3, fmt.Sprint("c-", i), fmt.Sprint("none-", i))
		}
		settle(10 * time.Second)
		share := func() map[string]int {
			n := map[string]int{}
			for _, subject := range w.vendor.called() {
				n[strings.SplitN(subject, "-", 2)[0]]++
			}
			return n
		}
		first := share()
		if all := len(w.vendor.called()); all < 450 {
			t.Fatalf("%d calls in 10 s at 50/s", all)
		}
		third := float64(first["heavy"]) / 3
		for _, light := range []string{"light", "none"} {
			// What was begun before the others were fetched goes first.
			if n := float64(first[light]); n < third*.75 || n > third*1.1 {
				t.Errorf("calls %v, want 3:1:1", first)
			}
		}
		w.topics.give(orderOf(ledger.Weight, "heavy", 1))
		settle(10 * time.Second)
		then := share()
		for _, c := range []string{"heavy", "light", "none"} {
			if n := then[c] - first[c]; n < 140 || n > 185 {
				t.Errorf("%d calls of %s in ten seconds, want a third of 490", n, c)
			}
		}
		w.shut()
	})
}

// A campaign that was given next to nothing has waited for its turn, and must not
// wait on once it is given more.
func TestWeightHoldsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.PerSecond = 20 })
		w.topics.give(orderOf(ledger.Weight, "slow", .01))
		settle(time.Second)
		for i := range 150 {
			w.send(i%3, fmt.Sprint("a-", i), fmt.Sprint("slow-", i), ofCamp("slow"))
			w.send(i%3, fmt.Sprint("b-", i), fmt.Sprint("other-", i), ofCamp("other"))
		}
		settle(3 * time.Second)
		slow := func() (n int) {
			for _, subject := range w.vendor.called() {
				if strings.HasPrefix(subject, "slow-") {
					n++
				}
			}
			return n
		}
		if n := slow(); n > 12 {
			t.Errorf("%d calls of a campaign of weight 0.01 in three seconds", n)
		}
		w.topics.give(orderOf(ledger.Weight, "slow", 1))
		before := slow()
		settle(3 * time.Second)
		if n := slow() - before; n < 20 {
			t.Errorf("%d of some 60 calls are of a campaign of half the weight", n)
		}
		w.shut()
	})
}

func TestVendorIsCalledNoFasterThanOrdered(t *testing.T) {
	for _, limit := range []float64{100, 0} {
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topics, v := newFakeTopics(), &fakeVendor{}
				change := func(c *Config, l *vendors.LaneConfig) { c.MaxOpen, l.PerSecond = 5000, limit }
				a, b := join(t, topics, v, change), join(t, topics, v, change)
				topics.give(orderOf(ledger.Rate, "", 20))
				a.assign([]int{0}, nil, nil)
				b.assign([]int{1, 2}, nil, nil)
				settle(time.Second)
				for i := range 3000 {
					a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				settle(10 * time.Second)
				if n := len(v.called()); n < 170 || n > 200 {
					t.Errorf("%d calls in ten seconds at 20/s", n)
				}
				wantNoSecondOver(t, v, 20)
				topics.give(orderOf(ledger.Rate, "", 50))
				settle(10 * time.Second)
				wantNoSecondOver(t, v, 50)
				topics.give(orderOf(ledger.Rate, "", 0))
				before := len(v.called())
				settle(10 * time.Second)
				if n := len(v.called()) - before; n < 850 {
					t.Errorf("%d calls in ten seconds after the order was taken back", n)
				}
				if limit > 0 {
					wantNoSecondOver(t, v, int(limit))
				}
				topics.give(orderOf(ledger.Rate, "", 1000))
				settle(30 * time.Second)
				if limit > 0 {
					wantNoSecondOver(t, v, int(limit))
				}
				wantOncePerRequest(t, a, 3000)
				a.shut()
				b.shut()
			})
		})
	}
}

// Slots of two paces don't follow each other evenly.
func TestOrdersAboutTheRateNeverLeadOverTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.PerSecond = 2 })
		for i := range 200 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		for i := range 60 {
			w.topics.give(orderOf(ledger.Rate, "", []float64{1.5, 0, .7}[i%3]))
			settle(2700 * time.Millisecond)
		}
		if n := len(w.vendor.called()); n < 80 {
			t.Errorf("%d calls in 160 s", n)
		}
		wantNoSecondOver(t, w.vendor, 2)
		w.shut()
	})
}

// wantNoSecondOver checks that no sliding second holds more calls.
func wantNoSecondOver(t *testing.T, v *fakeVendor, most int) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range v.times {
		if j := i + most; j < len(v.times) && v.times[j].Sub(v.times[i]) < time.Second {
			t.Errorf("more than %d calls within %s", most, v.times[j].Sub(v.times[i]))
			return
		}
	}
}

func TestOrdersSurviveTwoWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{}
		w := join(t, topics, v, twoHours)
		w.assign([]int{0, 1, 2}, nil, nil)
		topics.give(orderOf(ledger.Pause, "", 0))
		topics.give(orderOf(ledger.Pause, "c", 0))
		topics.give(orderOf(ledger.Weight, "d", 7))
		settle(4*time.Hour + 15*time.Minute)
		if n := ordersWritten(w); n > 3*3*6 {
			t.Errorf("%d records of three orders on three shards in two windows", n)
		}
		w.commit()
		w.kill()
		w = join(t, topics, v, twoHours)
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(20 * time.Minute)
		wantCallsByNow(t, w, 0)
		if !w.PausedByOrder(event.Argos) || !w.orders.pauses("c") || w.orders.weight("d") != 7 {
			t.Error("an order is lost")
		}
		w.shut()
	})
}

// twoHours keeps tests over several windows short.
func twoHours(c *Config, _ *vendors.LaneConfig) { c.Window = 2 * time.Hour }

func ordersWritten(w *world) (n int) {
	for _, rec := range w.topics.written("ledger") {
		if ledger.IsOrder(rec.Key) {
			n++
		}
	}
	return n
}

// Else an owner that had not heard of it yet when it wrote the pause again would
// bring the pause back.
func TestOrderTakenBackStaysSoAsLongAsItCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{}
		pause := orderOf(ledger.Pause, "", 0)
		time.Sleep(time.Minute)
		resume := orderOf(ledger.Resume, "", 0)
		w := join(t, topics, v, twoHours)
		w.assign([]int{0, 1, 2}, nil, nil)
		topics.give(resume)
		settle(50 * time.Minute)
		topics.inLedgers(pause, 0, 1, 2)
		for range 6 {
			w.commit()
			w.kill()
			w = join(t, topics, v, twoHours)
			w.assign([]int{0, 1, 2}, nil, nil)
			settle(25 * time.Minute)
			if w.PausedByOrder(event.Argos) {
				t.Fatal("an order that was taken back is in force again")
			}
		}
		// In the end nothing is left of it.
		settle(4 * time.Hour)
		n := ordersWritten(w)
		settle(4 * time.Hour)
		if m := ordersWritten(w); m != n {
			t.Errorf("%d more records of an order that means nothing any more", m-n)
		}
		if n := len(w.orders.newest); n != 0 {
			t.Errorf("%d orders are remembered", n)
		}
		w.shut()
	})
}

func TestOrderThatReachedOneLedgerOnlyReachesAllInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{}
		a, b := join(t, topics, v, nil), join(t, topics, v, nil)
		b.assign([]int{1, 2}, nil, nil)
		settle(time.Minute)
		// The command dies over the second ledger; the owner of the first takes it
		// over later.
		topics.inLedgers(orderOf(ledger.Pause, "c", 0), 0)
		settle(time.Minute)
		a.assign([]int{0}, nil, nil)
		settle(time.Minute)
		if !a.orders.pauses("c") || !b.orders.pauses("c") {
			t.Error("a replica does not know of the order")
		}
		for shard := range 3 {
			found := false
			for _, rec := range topics.logs[logName("ledger", shard)] {
				found = found || ledger.IsOrder(rec.Key)
			}
			if !found {
				t.Errorf("the ledger of shard %d lacks the order", shard)
			}
		}
		a.shut()
		b.shut()
	})
}

func TestUnreadableOrdersAreCountedAndIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := newFakeTopics()
		good := orderOf(ledger.Pause, "c", 0)
		later := good
		later.Kind = "drain" // of a later version
		both := good
		both.Vendor = event.Argos
		for _, o := range []ledger.Order{later, both, {}} {
			topics.inLedgers(o, 0)
			topics.inSignals(o)
		}
		topics.append(event.Record{Topic: "ledger", Key: []byte("order/campaign/other"), Value: good.Record().Encode()})
		topics.append(event.Record{Topic: "ledger", Key: []byte("r-1"), Value: good.Record().Encode()})
		topics.append(event.Record{Topic: "signals", Value: []byte(`{"kind":"order"}`)})
		w := join(t, topics, &fakeVendor{}, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "r-1", "sub-1", ofCamp("c"))
		settle(time.Minute)
		wantOncePerRequest(t, w, 1)
		for topic, want := range map[string]float64{"ledger": 5, "signals": 4} {
			if n := testutil.ToFloat64(w.metrics.unreadable.WithLabelValues(topic)); n != want {
				t.Errorf("%v unreadable records of %s were counted, want %v", n, topic, want)
			}
		}
		w.shut()
	})
}

// An order may be about a vendor that only later settings enable.
func TestOrderAboutAVendorThatIsNotEnabledIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, twoHours)
		o := orderOf(ledger.Pause, "", 0)
		o.Vendor = event.Checkout
		w.topics.give(o)
		w.send(0, "r-1", "sub-1")
		settle(3 * time.Hour)
		wantOncePerRequest(t, w, 1)
		w.mu.Lock()
		s := w.shards[1]
		w.mu.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.ledger.Holds(o, time.Now().Add(-90*time.Minute)) {
			t.Error("the order is about to be lost")
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
