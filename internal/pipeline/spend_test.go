package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

func TestResultCarriesItsCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), newTill(time.Second), cappedAt(0, 0))
		w.selfie = func(ref storage.Ref) error {
			if strings.Contains(ref.Key, "missing") {
				return &storage.Error{Kind: storage.Unusable, Reason: event.SelfieNotFound}
			}
			return nil
		}
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "approved", "sub-0")
		w.send(0, "rejected", "sub-1")
		w.send(0, "free", "sub-2")
		w.send(0, "missing", "sub-4")
		w.send(0, "expired", "sub-5", func(r *event.Request) { r.NotAfter = time.Now().Add(-time.Second) })
		settle(time.Minute)
		got := map[string]string{}
		for _, r := range w.results() {
			got[r.RequestID] = r.Cost + " " + r.Currency
		}
		want := map[string]string{
			"approved": "0.10 EUR", "rejected": "0.07 EUR", "free": "0.00 EUR", "missing": "0.00 EUR", "expired": "0.00 EUR",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if n := testutil.ToFloat64(w.metrics.spend.WithLabelValues("argos")); n < 0.1699 || n > 0.1701 {
			t.Errorf("%v were counted as spent", n)
		}
		w.shut()
	})
}

func TestWithoutPricesNothingIsWrittenOfCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.send(0, "r-1", "sub-1", of("c"))
		settle(time.Hour)
		for name, log := range w.topics.logs {
			for _, rec := range log {
				if bytes.Contains(rec.Value, []byte(`"spen`)) || bytes.Contains(rec.Value, []byte(`"cost"`)) || bytes.Contains(rec.Value, []byte(`"currency"`)) {
					t.Errorf("%s holds %s", name, rec.Value)
				}
			}
		}
		if r := w.results(); len(r) != 1 || r[0].Cost != "" || r[0].Currency != "" {
			t.Errorf("results %+v", r)
		}
		w.shut()
	})
}

func TestResultPublishedByTheNextOwnerHasTheCostOfTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newTill(0)
		a := join(t, topics, v, cappedAt(0, 0))
		b := join(t, topics, v, func(c *Config, l *vendors.LaneConfig) {
			cappedAt(0, 0)(c, l)
			c.Spend.Currency = "USD"
			c.Spend.Prices[event.Argos][event.Approved] = 1
		})
		a.assign([]int{0, 1, 2}, nil, nil)
		synctest.Wait()
		topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				return errors.New("out of reach")
			}
			return nil
		}
		a.send(0, "r-1", "sub-0")
		<-a.ended
		topics.mu.Lock()
		topics.write = nil
		topics.mu.Unlock()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(2 * time.Minute)
		if r := b.results(); len(r) != 1 || r[0].Cost != "0.10" || r[0].Currency != "EUR" {
			t.Errorf("results %+v", r)
		}
		b.shut()
	})
}

func TestUnusedReservationIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTill(20 * time.Second)
		w := join(t, newFakeTopics(), v, cappedAt(30*cents, 0)) // one call for each shard
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "free", "sub-2")
		settle(time.Second)
		w.send(0, "paid", "sub-0")
		settle(10 * time.Second)
		if n := v.made(); n != 1 {
			t.Errorf("%d calls under way, and there is room for one", n)
		}
		settle(3 * time.Minute)
		wantOncePerRequest(t, w, 2)
		w.shut()
	})
}

func TestFailureThatCostsNothingGivesItsReservationBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(c vendors.Call, _ int) (vendors.Verdict, error) {
			if c.SubmissionID == "sub-1" {
				return vendors.Verdict{}, transient()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}
		w := join(t, newFakeTopics(), v, func(c *Config, l *vendors.LaneConfig) {
			cappedAt(30*cents, 0)(c, l)
			c.Retry.Initial, c.Retry.Max = 1e6*time.Hour, 1e6*time.Hour
		})
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "failing", "sub-1")
		settle(time.Second)
		w.send(0, "paid", "sub-2")
		settle(time.Minute)
		wantOncePerRequest(t, w, 1)
		w.shut()
	})
}

func TestCallsThatAreBeingClaimedCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTill(0)
		w := join(t, newFakeTopics(), v, cappedAt(30*cents, 0))
		w.topics.write = func([]event.Record) error {
			time.Sleep(500 * time.Millisecond) // fake time
			return nil
		}
		w.assign([]int{0, 1, 2}, nil, nil)
		for i := range 10 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", 10*i))
		}
		settle(time.Minute)
		if n := v.made(); n != 1 {
			t.Errorf("%d calls, and there is room for one", n)
		}
		w.shut()
	})
}

func TestReservationOutlivesThePricesAndDoesNoHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newTill(20*time.Second)
		a, b := join(t, topics, findingTill{v}, cappedAt(0, 90*cents)), join(t, topics, findingTill{v}, nil)
		a.assign([]int{0, 1, 2}, nil, nil)
		time.Sleep(24*time.Hour - 10*time.Second)
		a.send(0, "r-1", "sub-0", of("c-1"))
		settle(5 * time.Second)
		a.kill()
		v.mu.Lock()
		clear(v.kept) // the call never reached the vendor
		v.mu.Unlock()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(5 * time.Minute)
		if r := b.results(); len(r) != 1 || r[0].Outcome != event.Approved || r[0].Cost != "" {
			t.Errorf("results %+v", r)
		}
		if charged, reserved := spentFor(b, "c-1"); charged != 0 || reserved != 0 {
			t.Errorf("%s charged and %s reserved", charged, reserved)
		}
		b.shut()
	})
}

// A former owner's answer may still reach the log, with a time that a summary of
// ours would claim to cover.
func TestNoSummaryWhileTheFormerOwnerMayWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newTill(0)
		a, b := join(t, topics, v, cappedAt(300*cents, 0)), join(t, topics, v, cappedAt(300*cents, 0))
		a.assign([]int{0, 1, 2}, nil, nil)
		a.send(0, "r-1", "sub-0")
		settle(time.Second)
		a.kill()
		takeover := time.Now()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Minute)
		first := time.Time{}
		for _, rec := range topics.logs["ledger/0"] {
			if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Summed && first.IsZero() {
				first = rec.Time
			}
		}
		if after := first.Sub(takeover); after < b.cfg.LongestCall+2*b.cfg.ClaimMargin || after > 2*time.Minute {
			t.Errorf("the first summary was written %v after the takeover", after)
		}
		b.shut()
	})
}

func TestRepeatOfALostCallCountsTwice(t *testing.T) {
	for name, finds := range map[string]bool{"vendor cannot be asked": false, "found at the vendor": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newTill(0)
				var adapter vendors.Adapter = v
				if finds {
					adapter = findingTill{v}
				}
				w := join(t, newFakeTopics(), adapter, cappedAt(0, 90*cents))
				w.assign([]int{0, 1, 2}, nil, nil)
				w.send(0, "lost", "sub-3", of("c-1"))
				settle(10 * time.Minute)
				wantOncePerRequest(t, w, 1)
				if r := w.results()[0]; r.Cost != "0.10" {
					t.Errorf("the result costs %s", r.Cost)
				}
				twice := map[bool]float64{false: 0.1}[finds]
				if n := testutil.ToFloat64(w.metrics.duplicateSpend.WithLabelValues("argos")); n != twice {
					t.Errorf("%v were counted as spent in addition, want %v", n, twice)
				}
				_, by := v.charged()
				if charged, reserved := spentFor(w, "c-1"); charged != by["c-1"] || reserved != 0 {
					t.Errorf("%s charged and %s reserved, and the vendor charged %s", charged, reserved, by["c-1"])
				}
				w.shut()
			})
		})
	}
}

func TestLostCallThatNobodyRepeatsIsCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), newTill(0), func(c *Config, l *vendors.LaneConfig) {
			cappedAt(0, 90*cents)(c, l)
			c.HoldUnknown = true
		})
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "lost", "sub-3", of("c-1"))
		settle(10 * time.Minute)
		charged, reserved := spentFor(w, "c-1")
		if r := w.results(); len(r) != 1 || r[0].Cost != "0.00" || charged != 10*cents || reserved != 0 {
			t.Errorf("%s charged, %s reserved, results %+v", charged, reserved, r)
		}
		if n := testutil.ToFloat64(w.metrics.duplicateSpend.WithLabelValues("argos")); n != 0 {
			t.Errorf("%v were counted as spent for a repeat that was not made", n)
		}
		w.shut()
	})
}

// A person's session is paid for when it ends, on whichever day: what is reserved
// for it stays so meanwhile, and is charged once.
func TestSessionKeepsItsReservationUntilItsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newHostedVendor()
		a := join(t, topics, v, cappedAt(30*cents, 30*cents))
		a.assign([]int{0, 1, 2}, nil, nil)
		a.send(0, "r-1", "sub-1", of("c-1"))
		settle(30 * time.Hour)
		a.send(0, "r-2", "sub-2", of("c-1"))
		settle(time.Hour)
		a.commit()
		a.kill()
		b := join(t, topics, v, cappedAt(30*cents, 30*cents))
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(30 * time.Hour)
		if len(v.sessions) != 1 {
			t.Errorf("%d sessions, and there is room for one", len(v.sessions))
		}
		v.decide("fav_sub-1_1", event.Approved)
		settle(3 * time.Hour)
		if types, _ := happened(b); !cmp.Equal(types, []string{event.TypePending, event.TypeResult}) {
			t.Errorf("events %v", types)
		}
		if charged, reserved := spentFor(b, "c-1"); charged != 10*cents || reserved != 0 {
			t.Errorf("%s charged and %s reserved", charged, reserved)
		}
		b.shut()
	})
}
