package pipeline

import (
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

// withdrawalOf returns an order that withdraws requests now.
func withdrawalOf(requestIDs ...string) ledger.Order {
	o := orderOf(ledger.Withdraw, "", 0)
	o.Vendor = ""
	for _, id := range requestIDs {
		o.Requests = append(o.Requests, ledger.IDOf(id))
	}
	return o
}

// byNumber returns the ids r-0 and on, of so many requests.
func byNumber(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint("r-", i))
	}
	return ids
}

// wantWithdrawn wants one result for each of so many requests, all of them
// withdrawn, after so many calls each, and for nothing.
func wantWithdrawn(t *testing.T, w *world, requests, calls int) {
	t.Helper()
	wantOncePerRequest(t, w, requests)
	for _, r := range w.results() {
		if r.Outcome != event.Withdrawn || !cmp.Equal(r.Reasons, []event.Reason{event.WithdrawnBy}) || r.Calls != calls || strings.Trim(r.Cost, "0.") != "" {
			t.Errorf("%s: %s %v after %d calls for %q", r.RequestID, r.Outcome, r.Reasons, r.Calls, r.Cost)
		}
	}
}

// wantOutcome wants one result, with the outcome.
func wantOutcome(t *testing.T, w *world, want event.Outcome) {
	t.Helper()
	if rs := w.results(); len(rs) != 1 || rs[0].Outcome != want {
		t.Errorf("results %+v, want one that is %s", rs, want)
	}
}

func TestWithdrawnRequestsEndWithoutACallWhereverTheyAre(t *testing.T) {
	const requests = 150
	for name, c := range map[string]struct {
		change func(*Config, *vendors.LaneConfig)
		// before the requests come, until they stand where the case says.
		before func(w *world)
	}{
		"queued, the vendor is paused": {nil, func(w *world) { w.topics.give(orderOf(ledger.Pause, "", 0)) }},
		"parked, their campaign is":    {nil, func(w *world) { w.topics.give(orderOf(ledger.Pause, "c", 0)) }},
		"queued, too many are parked":  {func(c *Config, _ *vendors.LaneConfig) { c.MaxHeld = 5 }, func(w *world) { w.topics.give(orderOf(ledger.Pause, "c", 0)) }},
		"waiting for permits":          {nil, func(w *world) { w.lines[event.Argos].lane.BackOff(time.Now().Add(6 * time.Hour)) }},
		"parked by a cap":              {cappedAt(5*cents, 0), nil},
		"kept by a cap, too many are":  {func(c *Config, l *vendors.LaneConfig) { cappedAt(5*cents, 0)(c, l); c.MaxHeld = 5 }, nil},
		"waiting for the store": {nil, func(w *world) {
			w.selfie = func(storage.Ref) error { return &storage.Error{Kind: storage.Fault, Code: "NoSuchBucket"} }
		}},
		"on a topic that is not read": {nil, func(w *world) {
			w.topics.holdTopic("requests/0")
			w.lines[event.Argos].lane.BackOff(time.Now().Add(6 * time.Hour))
		}},
	} {
		for of, order := range map[string]func() ledger.Order{
			"requests": func() ledger.Order { return withdrawalOf(byNumber(requests)...) },
			"campaign": func() ledger.Order { return orderOf(ledger.Withdraw, "c", 0) },
		} {
			t.Run(name+"/"+of, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := setup(t, c.change)
					w.topics.hold = make(chan struct{})
					settle(time.Second)
					if c.before != nil {
						c.before(w)
					}
					settle(time.Second)
					for i, id := range byNumber(requests) {
						// Some wait for others of their subject.
						w.send(i%3, id, fmt.Sprint("sub-", i%90), ofCamp("c"))
					}
					settle(time.Minute)
					if n := len(w.results()); n != 0 {
						t.Fatalf("%d results before the order", n)
					}
					w.topics.give(order())
					settle(time.Second)
					close(w.topics.hold)
					settle(time.Second)
					wantWithdrawn(t, w, requests, 0)
					wantCallsByNow(t, w, 0)
					for shard := range 3 {
						if n := w.next(shard); n != requests/3 {
							t.Errorf("next of shard %d is %d", shard, n)
						}
					}
					for _, s := range w.shards {
						if open, _ := s.ledger.Len(); open != 0 {
							t.Errorf("%d requests are open on shard %d", open, s.id)
						}
					}
					w.shut()
				})
			})
		}
	}
}

func TestWithdrawalTouchesNoOtherRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.topics.give(orderOf(ledger.Pause, "", 0))
		settle(time.Second)
		for i, id := range byNumber(90) {
			w.send(i%3, id, fmt.Sprint("sub-", i%60), ofCamp(fmt.Sprint("c-", i%2)))
		}
		settle(time.Second)
		w.topics.give(orderOf(ledger.Withdraw, "c-1", 0))
		w.topics.give(withdrawalOf("r-0", "r-2", "r-nobody"))
		settle(time.Second)
		wantWithdrawn(t, w, 47, 0)
		w.topics.give(orderOf(ledger.Resume, "", 0))
		settle(time.Minute)
		wantOncePerRequest(t, w, 90)
		wantCallsByNow(t, w, 43)
		w.shut()
	})
}

func TestWithdrawalReachesWhatWaitsForALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, counting)
		w.sendMany(3, 150)
		settle(30 * time.Second)
		called := len(w.vendor.called())
		if called == 0 || called > 300 {
			t.Fatalf("%d calls of 300 a minute", called)
		}
		var all []string
		for s := range 3 {
			for i := range 150 {
				all = append(all, fmt.Sprintf("%d-%d", s, i))
			}
		}
		w.topics.give(withdrawalOf(all...))
		settle(time.Second)
		wantOncePerRequest(t, w, 450)
		settle(2 * time.Minute)
		wantCallsByNow(t, w, called)
		w.shut()
	})
}

func TestWithdrawnSelfieIsDisposedOfAsIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disposals
		w := setup(t, nil)
		w.parts.Dispose = d.dispose
		w.topics.give(withdrawalOf("r-1"))
		settle(time.Second)
		w.send(0, "r-1", "sub-1")
		settle(time.Second)
		wantWithdrawn(t, w, 1, 0)
		if refs := d.asked(); len(refs) != 1 || refs[0].Key != "selfies/r-1.jpg" {
			t.Errorf("disposed of %v", refs)
		}
		w.shut()
	})
}

// The last moments before a call: with its permit had, its claim written, and its
// slot come.
func TestRequestThatIsWithdrawnRightBeforeItsCallIsNotCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) {
			cappedAt(100*cents, 100*cents)(c, l)
			l.Windows = perSecond(1)
		})
		w.topics.write = func(recs []event.Record) error {
			if r, err := ledger.Decode(recs[0].Value); err == nil && r.Step == ledger.Claimed {
				w.obey(withdrawalOf("r-1"))
			}
			return nil
		}
		w.send(0, "r-1", "sub-1", ofCamp("c"))
		settle(time.Minute)
		wantWithdrawn(t, w, 1, 0)
		wantCallsByNow(t, w, 0)
		if charged, reserved := spentFor(w, "c"); charged != 0 || reserved != 0 {
			t.Errorf("%v charged and %v reserved for no call", charged, reserved)
		}
		w.shut()
	})
}

// What failed and was not charged for is not tried again.
func TestRequestParkedForARetryIsWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(vendors.Call, int) (vendors.Verdict, error) {
			return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.Transient, Status: 503}
		}}
		w := join(t, newFakeTopics(), v, func(c *Config, _ *vendors.LaneConfig) {
			c.Retry.Initial, c.Retry.Max = 1000*time.Hour, 1000*time.Hour // of which a random part
		})
		w.assign([]int{0, 1, 2}, nil, nil)
		for i, id := range byNumber(30) {
			w.send(i%3, id, fmt.Sprint("sub-", i), ofCamp("c"))
		}
		settle(5 * time.Second)
		w.topics.give(orderOf(ledger.Withdraw, "c", 0))
		settle(time.Second)
		wantWithdrawn(t, w, 30, 1)
		settle(24 * time.Hour)
		wantCallsByNow(t, w, 30)
		w.shut()
	})
}

// It is put down as the order comes, so whoever searches the parked ones may have
// passed.
func TestRequestIsWithdrawnWhoseCallFailsAfterTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{delay: 2 * time.Second, answer: func(vendors.Call, int) (vendors.Verdict, error) {
			return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.Transient, Status: 503}
		}}
		w := join(t, newFakeTopics(), v, func(c *Config, _ *vendors.LaneConfig) {
			c.Retry.Initial, c.Retry.Max = 10*time.Hour, 10*time.Hour
		})
		w.assign([]int{0}, nil, nil)
		w.send(0, "r-1", "sub-1", ofCamp("c"))
		settle(time.Second)
		w.topics.give(orderOf(ledger.Withdraw, "c", 0))
		settle(3 * time.Second)
		wantWithdrawn(t, w, 1, 1)
		w.shut()
	})
}

func TestCallAtTheVendorGoesOnToItsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), &fakeVendor{delay: 5 * time.Second}, nil)
		w.assign([]int{0}, nil, nil)
		w.send(0, "r-1", "sub-1", ofCamp("c"))
		settle(2 * time.Second)
		w.topics.give(withdrawalOf("r-1"))
		w.topics.give(orderOf(ledger.Withdraw, "c", 0))
		settle(time.Minute)
		wantOutcome(t, w, event.Approved)
		w.shut()
	})
}

func TestPendingVerdictIsAwaitedThoughItsRequestIsWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		w := hosted(t, v)
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		w.topics.give(withdrawalOf("r-1"))
		settle(time.Minute)
		v.decide("fav_sub-1_1", event.Rejected)
		settle(2 * time.Hour)
		if rs := finalResults(t, w); len(rs) != 1 || rs[0].Outcome != event.Rejected {
			t.Errorf("results %+v", rs)
		}
		w.shut()
	})
}

func TestWithdrawnInDoubt(t *testing.T) {
	// The first call is lost, and with it what the vendor knows of it if it was
	// lost on its way there.
	losing := func(reached bool) *fakeVendor {
		v := &fakeVendor{}
		v.answer = func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth > 1 {
				return vendors.Verdict{Outcome: event.Rejected}, nil
			}
			if !reached {
				v.set(func() { v.kept = nil })
			}
			return vendors.Verdict{}, lost()
		}
		return v
	}
	for name, c := range map[string]struct {
		vendor   vendors.Adapter
		hold     bool
		attempts int
		want     event.Outcome
		charged  event.Amount
	}{
		"found at the vendor":             {findingVendor{losing(true)}, false, 3, event.Approved, 10 * cents},
		"not at the vendor":               {findingVendor{losing(false)}, false, 3, event.Withdrawn, 0},
		"not at the vendor, last attempt": {findingVendor{losing(false)}, false, 1, event.Withdrawn, 0},
		"cannot be asked, repeat":         {losing(true), false, 3, event.Withdrawn, 10 * cents},
		"cannot be asked, hold":           {losing(true), true, 3, event.Failed, 10 * cents},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := join(t, newFakeTopics(), c.vendor, func(cfg *Config, l *vendors.LaneConfig) {
					cappedAt(100*cents, 100*cents)(cfg, l)
					cfg.HoldUnknown, cfg.Retry.MaxAttempts = c.hold, c.attempts
				})
				w.assign([]int{0}, nil, nil)
				w.send(0, "r-1", "sub-1", ofCamp("c"))
				settle(5 * time.Second)
				w.topics.give(withdrawalOf("r-1"))
				settle(5 * time.Second)
				if n := len(w.results()); n != 0 {
					t.Errorf("%d results while the vendor may still be at it", n)
				}
				settle(10 * time.Minute)
				wantOutcome(t, w, c.want)
				wantCallsByNow(t, w, 1)
				if n := testutil.ToFloat64(w.metrics.possibleDouble); n != 0 {
					t.Errorf("%v calls were counted as repeated", n)
				}
				if charged, reserved := spentFor(w, "c"); charged != c.charged || reserved != 0 {
					t.Errorf("%v charged and %v reserved, want %v", charged, reserved, c.charged)
				}
				w.shut()
			})
		})
	}
}

func TestAnsweredRequestIsPublishedThoughItIsWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		a.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				return errors.New("out of reach")
			}
			return nil
		}
		a.send(0, "r-1", "sub-1")
		<-a.ended
		a.topics.mu.Lock()
		a.topics.write = nil
		a.topics.mu.Unlock()
		b.topics.give(withdrawalOf("r-1"))
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(2 * time.Minute)
		wantOutcome(t, b, event.Approved)
		b.shut()
	})
}
