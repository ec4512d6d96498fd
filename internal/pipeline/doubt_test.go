package pipeline

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// A claim that is in the log without its writer's knowing outdates the parking
// that follows it, but the request lives in the ledger all the same.
func TestRequestParkedAfterAClaimInDoubtIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{}
		a, b := pair(t, v, nil)
		settle(time.Second)
		lost := false
		a.topics.mu.Lock()
		a.topics.write = func(recs []event.Record) error {
			r, err := ledger.Decode(recs[0].Value)
			if err != nil || r.Step != ledger.Claimed || lost {
				return nil
			}
			lost = true
			a.topics.keep(recs)
			a.Suspend(time.Now(), context.Canceled) // the lease lapses before the repeat
			return errNoAck
		}
		a.topics.mu.Unlock()
		a.send(0, "r-1", "sub-1", of("c-1"))
		settle(time.Second)
		a.obey(ledger.Order{ID: "o-1", Kind: ledger.Pause, Campaign: "c-1", IssuedAt: time.Now()})
		a.assign(nil, []int{0, 1, 2}, nil)
		settle(time.Minute)
		if a.next(0) != 1 {
			t.Fatal("the request's record is not done: the test shows nothing")
		}
		a.commit()
		a.kill()

		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Minute)
		b.obey(ledger.Order{ID: "o-2", Kind: ledger.Resume, Campaign: "c-1", IssuedAt: time.Now()})
		settle(3 * time.Hour)
		if rs, calls := b.results(), len(v.called()); len(rs) != 1 || calls != 1 {
			t.Errorf("%d results after %d calls", len(rs), calls)
		}
		b.shut()
	})
}

// News can be there before the verdict that it changes is published.
func TestNewsBeforeTheFirstResultIsRememberedUntilItIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		v.poll = time.Second
		w := hosted(t, v)
		away := true
		w.topics.mu.Lock()
		w.topics.write = func(recs []event.Record) error {
			if away && event.TypeOf(recs[0]) == event.TypeResult {
				time.Sleep(time.Second)
				return errNoAck
			}
			return nil
		}
		w.topics.mu.Unlock()
		w.send(0, "r-1", "sub-1")
		v.decide("fav_sub-1_1", event.Approved)
		settle(10 * time.Second)
		v.decide("fav_sub-1_1", event.Rejected)
		tell(t, w, "fav_sub-1_1", event.Rejected)
		settle(time.Minute)
		w.topics.mu.Lock()
		away = false
		w.topics.mu.Unlock()
		settle(time.Hour)
		if rs := finalResults(t, w); len(rs) != 2 || rs[1].Outcome != event.Rejected || rs[1].Revision != 2 {
			t.Errorf("results %+v", rs)
		}
		w.shut()
	})
}

// What a call of unknown outcome may have cost is not given back when nobody will
// ask again.
func TestLastCallOfUnknownOutcomeIsChargedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		w := join(t, newFakeTopics(), v, cappedAt(0, 90*cents))
		w.assign([]int{0, 1, 2}, nil, nil)
		v.after = func(_ string, nth int) error {
			if nth < 3 {
				return transient()
			}
			return lost()
		}
		w.send(0, "r-1", "sub-1", of("c-1"))
		settle(time.Hour)
		if charged, reserved := spentFor(w, "c-1"); charged != 10*cents || reserved != 0 {
			t.Errorf("%s charged, %s reserved, after %d calls", charged, reserved, len(v.calls))
		}
		w.shut()
	})
}

// A reader that is broken when the former owner's time is over must not hide what
// that one wrote last.
func TestLateAnswerIsReadThoughTheReaderIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{delay: 20 * time.Second}
		a, b := pair(t, v, nil)
		settle(time.Second)
		a.send(0, "r-1", "sub-1")
		settle(time.Second)
		a.assign(nil, nil, []int{0, 1, 2})
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Second)
		b.topics.hold = make(chan struct{})
		b.topics.holdTopic("ledger/0")
		a.topics.mu.Lock()
		a.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				return context.Canceled // it dies between answer and result
			}
			return nil
		}
		a.topics.mu.Unlock()
		settle(30 * time.Second)
		a.topics.mu.Lock()
		a.topics.write = nil
		a.topics.mu.Unlock()
		settle(10 * time.Minute)
		close(b.topics.hold)
		settle(10 * time.Minute)
		if rs, calls := b.results(), len(v.called()); len(rs) != 1 || calls != 1 {
			t.Errorf("%d results after %d calls", len(rs), calls)
		}
		a.shut()
		b.shut()
	})
}

// A revision that was published and not noted is the one that stands.
func TestRevisionThatWasNotNotedStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		v.poll = time.Second
		topics := newFakeTopics()
		a, b := join(t, topics, v, nil), join(t, topics, v, nil)
		a.assign([]int{0, 1, 2}, nil, nil)
		a.send(0, "r-1", "sub-1")
		v.decide("fav_sub-1_1", event.Approved)
		settle(time.Hour)
		dead := make(chan struct{})
		topics.mu.Lock()
		topics.write = func(recs []event.Record) error {
			if r, err := ledger.Decode(recs[0].Value); err != nil || r.Step != ledger.Revised {
				return nil
			}
			close(dead)
			<-a.take.Done()
			return context.Canceled
		}
		topics.mu.Unlock()
		v.decide("fav_sub-1_1", event.Rejected)
		tell(t, a, "fav_sub-1_1", event.Rejected)
		<-dead
		a.commit()
		a.kill()
		topics.mu.Lock()
		topics.write = nil
		topics.mu.Unlock()

		v.decide("fav_sub-1_1", event.Approved) // the vendor goes back
		tell(t, b, "fav_sub-1_1", event.Approved)
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Hour)
		rs := finalResults(t, b)
		if last := rs[len(rs)-1]; len(rs) != 3 || last.Outcome != event.Approved || last.Revision != 3 {
			t.Errorf("%d results, the last is revision %d, %s", len(rs), last.Revision, last.Outcome)
		}
		b.shut()
	})
}
