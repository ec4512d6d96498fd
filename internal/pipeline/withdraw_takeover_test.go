package pipeline

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

// The signal is lost, and the owner that never heard of the order dies: whoever
// takes the shards over finds it in their ledgers.
func TestWithdrawalIsFoundInTheLedger(t *testing.T) {
	for name, park := range map[string]bool{"parked": true, "queued": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topics, v := newFakeTopics(), findingVendor{&fakeVendor{}}
				a := join(t, topics, v, nil)
				a.assign([]int{0, 1, 2}, nil, nil)
				pause := orderOf(ledger.Pause, "", 0)
				if park {
					pause = orderOf(ledger.Pause, "c", 0)
				}
				topics.give(pause)
				settle(time.Second)
				for i, id := range byNumber(60) {
					a.send(i%3, id, fmt.Sprint("sub-", i), ofCamp("c"))
				}
				settle(2 * time.Minute) // it reads its ledgers no more
				deaf(topics)
				topics.inLedgers(withdrawalOf(byNumber(30)...), 0, 1, 2)
				settle(time.Minute)
				wantOncePerRequest(t, a, 0)
				topics.inLedgers(orderOf(ledger.Withdraw, "c", 0), 1, 2)
				a.commit()
				a.kill()
				b := join(t, topics, v, nil)
				b.assign([]int{0, 1, 2}, nil, nil)
				settle(2 * time.Minute)
				wantWithdrawn(t, b, 60, 0)
				wantCallsByNow(t, b, 0)
				b.shut()
			})
		})
	}
}

func TestWithdrawnRequestsHaveOneResultEachWheneverTheirOwnerDies(t *testing.T) {
	for _, after := range []time.Duration{0, 1, 2, 3, 5, 8, 13, 20, 50, 100, 300} {
		t.Run(fmt.Sprint(after*time.Millisecond), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topics, v := newFakeTopics(), findingVendor{&fakeVendor{delay: 40 * time.Millisecond}}
				a, b := join(t, topics, v, nil), join(t, topics, v, nil)
				a.assign([]int{0, 1, 2}, nil, nil)
				synctest.Wait()
				topics.write = func([]event.Record) error {
					time.Sleep(3 * time.Millisecond) // fake time
					return nil
				}
				for i, id := range byNumber(240) {
					a.send(i%3, id, fmt.Sprint("sub-", i), ofCamp("c"))
				}
				time.Sleep(handoverDelay + 60*time.Millisecond)
				topics.give(orderOf(ledger.Withdraw, "c", 0))
				time.Sleep(after * time.Millisecond)
				a.commit()
				a.kill()
				b.assign([]int{0, 1, 2}, nil, nil)
				settle(3 * time.Minute)
				wantOncePerRequest(t, b, 240)
				wantCalls(t, b, 1)
				approved := 0
				for _, r := range b.results() {
					if r.Outcome == event.Approved {
						approved++
					}
				}
				if calls := len(v.called()); approved != calls || calls == 0 || calls == 240 {
					t.Errorf("%d of 240 were called and %d approved", calls, approved)
				}
				for shard := range 3 {
					if n := b.next(shard); n != 80 {
						t.Errorf("next of shard %d is %d", shard, n)
					}
				}
				b.shut()
			})
		})
	}
}

func TestCampaignCanBePublishedAnewAfterItsWithdrawal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.topics.hold = make(chan struct{})
		w.topics.holdTopic("requests/1")
		for i := range 30 {
			w.send(i%3, fmt.Sprint("old-", i), fmt.Sprint("sub-", i), ofCamp("c"))
		}
		time.Sleep(time.Millisecond) // before anything of the first is called
		w.topics.give(orderOf(ledger.Withdraw, "c", 0))
		settle(time.Second)
		for i := range 30 {
			w.send(i%3, fmt.Sprint("new-", i), fmt.Sprint("sub-", i), ofCamp("c"))
		}
		settle(time.Hour)
		close(w.topics.hold)
		settle(time.Minute)
		wantOncePerRequest(t, w, 60)
		for _, r := range w.results() {
			want := event.Withdrawn
			if r.RequestID[:3] == "new" {
				want = event.Approved
			}
			if r.Outcome != want {
				t.Errorf("%s is %s", r.RequestID, r.Outcome)
			}
		}
		w.shut()
	})
}

// They last as long as a request may lie on its topic; then nothing is left of them.
func TestWithdrawalsHaveTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{}
		kept := func(c *Config, l *vendors.LaneConfig) { twoHours(c, l); c.RequestsKept = 7 * time.Hour }
		w := join(t, topics, v, kept)
		w.assign([]int{0, 1, 2}, nil, nil)
		issued := time.Now()
		topics.give(orderOf(ledger.Withdraw, "c", 0))
		topics.give(withdrawalOf(byNumber(500)...))
		late := func(shard int, id, campaign string) {
			topics.add(event.Record{Topic: "requests", Partition: shard, Key: []byte(id), Time: issued.Add(-time.Minute), Value: fmt.Appendf(nil,
				`{"request_id":%q,"submission_id":%q,"selfie_key":"k","campaign_id":%q}`, id, "sub-"+id, campaign)})
		}
		settle(110 * time.Minute)
		w.commit()
		w.kill()
		w = join(t, topics, v, kept)
		w.assign([]int{0, 1, 2}, nil, nil)
		late(0, "r-0", "")
		late(1, "a", "c")
		settle(5 * time.Minute)
		wantWithdrawn(t, w, 2, 0)
		if n := len(w.orders.newest); n != 2 {
			t.Errorf("%d orders are known", n)
		}
		settle(30 * time.Minute)
		late(0, "r-1", "")
		settle(time.Minute)
		wantCallsByNow(t, w, 0)
		settle(4 * time.Hour)
		w.commit()
		w.kill()
		w = join(t, topics, v, kept)
		w.assign([]int{0, 1, 2}, nil, nil)
		late(2, "b", "c")
		late(2, "r-2", "")
		settle(time.Minute)
		wantCallsByNow(t, w, 0)
		settle(50 * time.Minute) // a record of the order is still in the window
		w.commit()
		w.kill()
		w = join(t, topics, v, kept)
		w.assign([]int{0, 1, 2}, nil, nil)
		late(2, "d", "c")
		late(2, "r-3", "")
		settle(time.Minute)
		wantCallsByNow(t, w, 2)
		o := w.orders
		if n, m := len(o.newest)+len(o.withdrawn.requests)+len(o.withdrawn.campaigns), len(o.withdrawn.watched); n != 0 || m != 0 {
			t.Errorf("%d orders, ids and campaigns, and %d requests are remembered", n, m)
		}
		n := ordersWritten(w)
		settle(5 * time.Hour)
		if m := ordersWritten(w); m != n {
			t.Errorf("%d more records of orders that have had their time", m-n)
		}
		for _, s := range w.shards {
			if n := len(s.ledger.Orders()); n != 0 {
				t.Errorf("%d orders are in the ledger of shard %d", n, s.id)
			}
		}
		w.shut()
	})
}

func TestWithdrawalThatReachedOneLedgerOnlyReachesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := newFakeTopics()
		a, b := join(t, topics, &fakeVendor{}, nil), join(t, topics, &fakeVendor{}, nil)
		b.assign([]int{1, 2}, nil, nil)
		settle(time.Minute)
		o := withdrawalOf(byNumber(ledger.MaxOrderRequests)...)
		topics.inLedgers(o, 0)
		a.assign([]int{0}, nil, nil)
		settle(time.Minute)
		a.send(1, "r-7", "sub-7")
		settle(time.Minute)
		wantWithdrawn(t, b, 1, 0)
		for shard := range 3 {
			whole := 0
			for _, rec := range topics.logs[logName("ledger", shard)] {
				if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Ordered && len(r.Order.Requests) == ledger.MaxOrderRequests {
					whole++
				}
			}
			if whole != 1 {
				t.Errorf("the ledger of shard %d has %d records of the order", shard, whole)
			}
		}
		a.shut()
		b.shut()
	})
}

func TestWithdrawnIDTakesLittleMemory(t *testing.T) {
	const orders, most = 100, 96 // bytes for an id
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	o := newOrders()
	before := heap()
	for n := range orders {
		order := ledger.Order{ID: fmt.Sprint("o-", n), Kind: ledger.Withdraw, IssuedAt: time.Now()}
		for i := range ledger.MaxOrderRequests {
			order.Requests = append(order.Requests, ledger.IDOf(fmt.Sprint(n, "-", i)))
		}
		order.Requests = append([]ledger.ID(nil), order.Requests...)
		o.take(order)
	}
	if each := (heap() - before) / (orders * ledger.MaxOrderRequests); each > most {
		t.Errorf("%d bytes for an id", each)
	} else {
		t.Logf("%d bytes for an id", each)
	}
	o.kept(time.Now().Add(2*time.Hour), &Config{Window: time.Hour})
	if n := len(o.newest) + len(o.withdrawn.requests); n != 0 {
		t.Errorf("%d orders and ids are remembered", n)
	}
}
