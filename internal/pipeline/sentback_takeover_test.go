package pipeline

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// refuseFirst is a vendor that refuses the first call and approves after that.
func refuseFirst() *fakeVendor {
	return &fakeVendor{answer: func(_ vendors.Call, nth int) (vendors.Verdict, error) {
		if nth == 1 {
			return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused}
		}
		return vendors.Verdict{Outcome: event.Approved}, nil
	}}
}

// sendBack sends the first request of shard 0 back for the nth time.
func (w *world) sendBack(nth int) {
	w.topics.mu.Lock()
	rec := w.topics.logs["requests/0"][0]
	w.topics.mu.Unlock()
	rec.Headers = []event.Header{{Key: event.HeaderRedrive, Value: []byte(strconv.Itoa(nth))}}
	w.topics.append(rec)
}

// breakTopic has every write to a topic fail, which stops the pipeline; mend takes
// that back.
func (f *fakeTopics) breakTopic(topic string) (mend func()) {
	set := func(write func([]event.Record) error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.write = write
	}
	set(func(recs []event.Record) error {
		if recs[0].Topic == topic {
			return errors.New("out of reach")
		}
		return nil
	})
	return func() { set(nil) }
}

// wantRevisions wants results of one request with these outcomes, the nth of them
// with revision n.
func wantRevisions(t *testing.T, w *world, outcomes ...event.Outcome) {
	t.Helper()
	var got, want []string
	for _, r := range w.results() {
		got = append(got, fmt.Sprint(r.Revision, " ", r.Outcome))
	}
	for i, outcome := range outcomes {
		want = append(want, fmt.Sprint(i+1, " ", outcome))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

// What a request that was sent back comes to without a call, and how that is
// brought about.
var withoutCall = map[event.Outcome]func(w *world){
	event.Withdrawn: func(w *world) { w.topics.give(withdrawalOf("r-1")) },
	event.Expired:   func(*world) { time.Sleep(2 * time.Hour) },
	event.Unusable: func(w *world) {
		w.selfie = func(storage.Ref) error {
			return &storage.Error{Kind: storage.Unusable, Reason: event.SelfieNotFound}
		}
	},
	event.Failed: func(w *world) {
		w.selfie = func(storage.Ref) error { return &storage.Error{Kind: storage.Refused} }
	},
}

func untilNextHour(r *event.Request) { r.NotAfter = time.Now().Add(time.Hour) }

func TestSentBackAndEndedWithoutACallHasOneResultWhenItsOwnerDies(t *testing.T) {
	for outcome, bringAbout := range withoutCall {
		t.Run(string(outcome), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t, refuseFirst(), nil)
				a.send(0, "r-1", "sub-1", untilNextHour)
				settle(time.Minute)
				a.commit()
				bringAbout(a)
				settle(time.Second)
				a.sendBack(1)
				settle(time.Minute)
				wantRevisions(t, a, event.Failed, outcome)
				a.kill() // what was sent back is not committed
				b.selfie = a.selfie
				b.assign([]int{0, 1, 2}, nil, nil)
				settle(time.Minute)
				wantRevisions(t, b, event.Failed, outcome)
				wantCallsByNow(t, b, 1)
				if n := b.next(0); n != 2 {
					t.Errorf("next is %d", n)
				}
				b.shut()
			})
		})
	}
}

func TestSentBackAndAnsweredWithoutACallIsPublishedByTheNextOwner(t *testing.T) {
	for outcome, bringAbout := range withoutCall {
		t.Run(string(outcome), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t, refuseFirst(), nil)
				a.send(0, "r-1", "sub-1", untilNextHour)
				settle(time.Minute)
				a.commit()
				bringAbout(a)
				settle(time.Second)
				mend := a.topics.breakTopic("results")
				a.sendBack(1)
				<-a.ended
				mend()
				b.assign([]int{0, 1, 2}, nil, nil) // with selfies that are as they should be
				settle(time.Minute)
				wantRevisions(t, b, event.Failed, outcome)
				wantCallsByNow(t, b, 1)
				b.shut()
			})
		})
	}
}

func TestSentBackAndParkedWithoutACallIsFoundByTheNextOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, refuseFirst(), nil)
		a.send(0, "r-1", "sub-1", ofCamp("c"))
		settle(time.Minute)
		a.topics.give(orderOf(ledger.Pause, "c", 0))
		settle(time.Second)
		a.sendBack(1)
		settle(time.Minute)
		if n := a.next(0); n != 2 {
			t.Errorf("next is %d: it is not parked", n)
		}
		a.commit()
		a.kill()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(20 * time.Hour) // it is written again before it leaves the window
		b.commit()
		b.kill()
		c := join(t, b.topics, b.vendor, nil)
		c.assign([]int{0, 1, 2}, nil, nil)
		settle(20 * time.Hour)
		wantRevisions(t, c, event.Failed)
		c.topics.give(orderOf(ledger.Resume, "c", 0))
		settle(time.Minute)
		wantRevisions(t, c, event.Failed, event.Approved)
		wantCallsByNow(t, c, 2)
		c.shut()
	})
}

func TestLateClaimOfWhatWasSentBackDoesNotReopenItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, refuseFirst(), nil)
		a.send(0, "r-1", "sub-1")
		settle(time.Minute)
		a.commit()
		late := make(chan struct{})
		a.topics.mu.Lock()
		a.topics.write = func(recs []event.Record) error {
			if r, err := ledger.Decode(recs[0].Value); err == nil && r.Step == ledger.Claimed {
				<-late
			}
			return nil
		}
		a.topics.mu.Unlock()
		a.sendBack(1)
		settle(time.Second)
		a.assign(nil, []int{1, 2}, []int{0})
		a.topics.give(withdrawalOf("r-1"))
		settle(time.Second)
		b.assign([]int{0}, nil, nil)
		settle(time.Second)
		wantRevisions(t, b, event.Failed, event.Withdrawn)
		close(late)
		settle(time.Second)
		a.shut()
		b.kill()
		c := join(t, b.topics, b.vendor, nil)
		c.assign([]int{0, 1, 2}, nil, nil)
		settle(5 * time.Minute)
		wantRevisions(t, c, event.Failed, event.Withdrawn)
		wantCallsByNow(t, c, 1)
		c.shut()
	})
}

// Two who send back at the same time do not see each other.
func TestSentBackTwiceForOneDeadLetterIsTriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth < 3 {
				return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused}
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}
		a, b := pair(t, v, nil)
		a.send(0, "r-1", "sub-1")
		settle(time.Minute)
		a.sendBack(1)
		settle(time.Minute)
		a.sendBack(1)
		settle(time.Minute)
		wantRevisions(t, a, event.Failed, event.Failed)
		wantCallsByNow(t, a, 2)
		a.commit()
		a.kill()
		b.sendBack(1)
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Minute)
		wantRevisions(t, b, event.Failed, event.Failed)
		b.sendBack(2)
		settle(time.Minute)
		wantRevisions(t, b, event.Failed, event.Failed, event.Approved)
		b.shut()
	})
}
