package pipeline

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

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
	if value, err = os.ReadFile("../../testdata/wire/signal.withdraw.json"); err != nil {
		t.Fatal(err)
	}
	s, err = decodeSignal(value)
	if err != nil || s.Kind != orderKind || s.Order.Kind != ledger.Withdraw || !slices.Contains(s.Order.Requests, ledger.IDOf("r-1043")) {
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
