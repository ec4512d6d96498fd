package pipeline

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

// TestNothingIsForgottenWhileNobodyWorks: a group that is down over a weekend, longer
// than the window, finds what it left: lost calls, parked requests, and results that
// are out, of requests whose offsets are not committed.
func TestNothingIsForgottenWhileNobodyWorks(t *testing.T) {
	for _, down := range []time.Duration{time.Minute, 13 * time.Hour, 25 * time.Hour, 60 * time.Hour} {
		t.Run(fmt.Sprint("for ", down), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topics, v := newFakeTopics(), findingVendor{&fakeVendor{delay: 300 * time.Millisecond}}
				failing := true
				v.answer = func(c vendors.Call, _ int) (vendors.Verdict, error) {
					if failing && c.SubmissionID < "sub-2" { // sub-0, sub-1x
						return vendors.Verdict{}, transient()
					}
					return vendors.Verdict{Outcome: event.Approved, Reference: "auth-" + c.SubmissionID, Liveness: event.LivenessNone}, nil
				}
				change := func(c *Config, l *vendors.LaneConfig) {
					c.Retry = RetryConfig{MaxAttempts: 20, Initial: 2 * time.Hour, Max: 2 * time.Hour, Budget: 1}
					l.Breaker.Ratio = 1.1
				}
				a := join(t, topics, v, change)
				a.assign([]int{0, 1, 2}, nil, nil)
				for i := range 30 {
					a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				settle(20 * time.Minute) // some are parked, all others are done, nothing is committed
				for i := 30; i < 60; i++ {
					a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				time.Sleep(100 * time.Millisecond) // these are at the vendor
				a.kill()
				v.set(func() { failing = false })
				time.Sleep(down)

				b := join(t, topics, v, change)
				b.assign([]int{0, 1, 2}, nil, nil)
				settle(time.Hour)
				b.commit()
				b.kill()
				c := join(t, topics, v, change)
				c.assign([]int{0, 1, 2}, nil, nil)
				settle(8 * time.Hour)
				wantOncePerRequest(t, c, 60)
				calls := map[string]int{}
				for _, subject := range v.called() {
					calls[subject]++
				}
				for i := range 60 {
					subject := fmt.Sprint("sub-", i)
					if n := calls[subject]; n < 1 || n > 1 && subject >= "sub-2" {
						t.Errorf("%d calls for %s", n, subject)
					}
				}
				for shard := range 3 {
					if n := c.next(shard); n != 20 {
						t.Errorf("next of shard %d is %d", shard, n)
					}
				}
				c.shut()
			})
		})
	}
}

// TestWhatIsReadAgainLateIsRemembered: after a standstill it may take hours until the
// requests are read again whose offsets were not committed.
func TestWhatIsReadAgainLateIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{}
		change := func(open int) func(*Config, *vendors.LaneConfig) {
			return func(c *Config, _ *vendors.LaneConfig) { c.MaxOpen, c.MaxHeld = open, 1 }
		}
		a := join(t, topics, v, change(100))
		a.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Second)
		topics.give(orderOf(ledger.Pause, "camp-1", 0))
		settle(time.Second)
		for i := range 12 { // at most one is parked in the ledger; the others keep their offsets
			a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp("camp-1"))
		}
		settle(time.Second)
		for i := 12; i < 42; i++ {
			a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(time.Minute)
		wantCallsByNow(t, a, 30)
		a.commit()
		a.kill()
		time.Sleep(60 * time.Hour)

		b := join(t, topics, v, change(3))
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(5 * time.Hour)
		topics.give(orderOf(ledger.Resume, "camp-1", 0))
		settle(2 * time.Hour)
		wantOncePerRequest(t, b, 42)
		wantCalls(t, b, 1)
		b.shut()
	})
}

// TestOffsetsThatLagBehindTheWindow: requests that an order holds back keep their
// offsets for days, and with them those of requests that are done. Replicas come and go
// meanwhile.
func TestOffsetsThatLagBehindTheWindow(t *testing.T) {
	for name, lives := range map[string][]time.Duration{
		"one owner":              {30 * time.Hour},
		"several":                {10 * time.Hour, 10 * time.Hour, 10 * time.Hour, 10 * time.Hour},
		"one after the other":    slices.Repeat([]time.Duration{2 * time.Hour}, 20),
		"with a standstill, too": {20 * time.Hour, 0, 20 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topics, v := newFakeTopics(), &fakeVendor{}
				change := func(c *Config, _ *vendors.LaneConfig) { c.MaxHeld = 1 }
				w := join(t, topics, v, change)
				w.assign([]int{0, 1, 2}, nil, nil)
				settle(10 * time.Second)
				topics.give(orderOf(ledger.Pause, "camp-1", 0))
				settle(time.Second)
				for i := range 12 {
					w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), ofCamp("camp-1"))
				}
				settle(time.Second)
				for i := 12; i < 42; i++ {
					w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				for _, life := range lives {
					if settle(life); life == 0 {
						life = 40 * time.Hour
						time.Sleep(life)
					}
					w.commit()
					w.kill()
					w = join(t, topics, v, change)
					w.assign([]int{0, 1, 2}, nil, nil)
				}
				settle(time.Hour)
				wantCallsByNow(t, w, 30)
				topics.give(orderOf(ledger.Resume, "camp-1", 0))
				settle(2 * time.Hour)
				wantOncePerRequest(t, w, 42)
				wantCalls(t, w, 1)
				for shard := range 3 {
					if n := w.next(shard); n != 14 {
						t.Errorf("next of shard %d is %d", shard, n)
					}
				}
				w.shut()
			})
		})
	}
}

// A ledger that was copied to another cluster in transactions, as MirrorMaker does for
// exactly-once, ends with a marker.
func TestMarkersInACopiedLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{}
		a := join(t, topics, v, nil)
		a.assign([]int{0, 1, 2}, nil, nil)
		a.send(0, "r-1", "sub-1")
		settle(time.Minute)
		a.kill()
		for shard := range 3 {
			topics.append(event.Record{Topic: "ledger", Partition: shard, Headers: []event.Header{{Key: markerHeader}}})
		}
		time.Sleep(13 * time.Hour)

		b := join(t, topics, v, nil)
		b.assign([]int{0, 1, 2}, nil, nil)
		b.send(0, "r-2", "sub-2")
		settle(time.Minute)
		wantOncePerRequest(t, b, 2)
		wantCalls(t, b, 1)
		b.shut()
	})
}

func TestOrdersOutliveAStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{}
		w := join(t, topics, v, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Second)
		topics.give(orderOf(ledger.Pause, "camp-1", 0))
		settle(5 * time.Hour)
		w.kill()
		time.Sleep(60 * time.Hour)
		for range 3 { // and what comes after it
			w = join(t, topics, v, nil)
			w.assign([]int{0, 1, 2}, nil, nil)
			settle(5 * time.Hour)
			w.send(0, fmt.Sprint("r-", time.Now().Unix()), "sub-1", ofCamp("camp-1"))
			settle(30 * time.Hour)
			wantCallsByNow(t, w, 0)
			w.kill()
		}
		w = join(t, topics, v, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Hour)
		topics.give(orderOf(ledger.Resume, "camp-1", 0))
		settle(2 * time.Hour)
		wantOncePerRequest(t, w, 3)
		w.shut()
	})
}

func TestTotalsOutliveAStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newTill(0)
		var w *world
		for i := range 12 {
			w = join(t, topics, v, cappedAt(0, 60*cents))
			w.assign([]int{0, 1, 2}, nil, nil)
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", 10*i), of("c-1"))
			settle(time.Hour)
			w.commit()
			w.kill()
			time.Sleep(48 * time.Hour)
		}
		if _, by := v.charged(); by["c-1"] != 60*cents {
			t.Errorf("%s were spent of 0.60", by["c-1"])
		}
	})
}
