package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/stream"
)

func TestKilledOwnersCallsAreFoundAndNotRepeated(t *testing.T) {
	for _, after := range []time.Duration{20, 100, 280, 310, 320, 330, 350, 400, 900} {
		t.Run(fmt.Sprint(after*time.Millisecond), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := findingVendor{&fakeVendor{delay: 300 * time.Millisecond}}
				a, b := pair(t, v, nil)
				for i := range 60 {
					a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				time.Sleep(handoverDelay + after*time.Millisecond)
				a.commit()
				a.kill()
				b.assign([]int{0, 1, 2}, nil, nil)
				settle(3 * time.Minute)
				wantOncePerRequest(t, b, 60)
				wantCalls(t, b, 1)
				for _, r := range b.results() {
					if r.Calls != 1 {
						t.Errorf("%s took %d calls", r.RequestID, r.Calls)
					}
				}
				for shard := range 3 {
					if n := b.next(shard); n != 20 {
						t.Errorf("next of shard %d is %d", shard, n)
					}
				}
				b.shut()
			})
		})
	}
}

// handoverDelay is how long a lane leaves the slots of a new shard alone.
const handoverDelay = 250 * time.Millisecond

func TestMovedShardIsFinishedByItsFormerOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{delay: 2 * time.Second}, nil)
		for i := range 30 {
			a.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(time.Second)
		begun := len(a.vendor.called())
		a.commit()
		a.assign(nil, []int{1, 2}, []int{0})
		b.assign([]int{0}, nil, nil)
		settle(2 * time.Minute)
		wantOncePerRequest(t, b, 30)
		wantCalls(t, b, 1)
		if n := testutil.ToFloat64(a.metrics.afterMove); int(n) != begun || begun == 0 {
			t.Errorf("%v of %d calls were finished after the move", n, begun)
		}
		if n := b.next(0); n != 30 {
			t.Errorf("next is %d", n)
		}
		a.shut()
		b.shut()
	})
}

func TestStoppedOwnersCallsAreFinishedAndNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{delay: 2 * time.Second}, nil)
		for i := range 30 {
			a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(time.Second)
		a.commit()
		a.halt()
		a.Suspend(time.Now(), stream.ErrLeaving) // leaves at once
		b.assign([]int{0, 1, 2}, nil, nil)
		if err := <-a.ended; err != nil {
			t.Error(err)
		}
		settle(2 * time.Minute)
		wantOncePerRequest(t, b, 30)
		wantCalls(t, b, 1)
		b.shut()
	})
}

func TestAnsweredAndNotPublishedIsPublishedByTheNextOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		a.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				return errors.New("out of reach")
			}
			return nil
		}
		a.send(0, "r-1", "sub-1", func(r *event.Request) { r.CampaignID = "c" })
		<-a.ended
		a.topics.mu.Lock()
		a.topics.write = nil
		a.topics.mu.Unlock()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(2 * time.Minute)
		wantOncePerRequest(t, b, 1)
		wantCalls(t, b, 1)
		if r := b.results()[0]; r.Outcome != event.Approved || r.CampaignID != "c" || r.VendorReference != "auth-sub-1" {
			t.Errorf("result %+v", r)
		}
		if n := testutil.ToFloat64(b.metrics.republished); n != 1 {
			t.Errorf("%v results were counted as republished", n)
		}
		b.shut()
	})
}

func TestPublishedAndNotCommittedIsNotPublishedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		for i := range 10 {
			a.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(2 * time.Second)
		wantOncePerRequest(t, a, 10)
		a.kill() // nothing was committed
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(2 * time.Minute)
		wantOncePerRequest(t, b, 10)
		wantCalls(t, b, 1)
		if n := b.next(0); n != 10 {
			t.Errorf("next is %d", n)
		}
		b.shut()
	})
}

func TestSameRequestThreeTimesIsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{delay: time.Second}, nil)
		a.send(0, "r-1", "sub-1")
		a.send(0, "r-1", "sub-1") // before the call
		settle(600 * time.Millisecond)
		a.send(0, "r-1", "sub-1") // during
		settle(10 * time.Second)
		a.send(0, "r-1", "sub-1") // after
		settle(10 * time.Second)
		if n := testutil.ToFloat64(a.metrics.duplicates); n != 3 {
			t.Errorf("%v duplicates were counted", n)
		}
		if n := a.next(0); n != 4 {
			t.Errorf("next is %d", n)
		}
		a.commit()
		a.kill()
		b.assign([]int{0, 1, 2}, nil, nil)
		b.send(0, "r-1", "sub-1") // at the next owner
		settle(time.Minute)
		wantOncePerRequest(t, b, 1)
		wantCalls(t, b, 1)
		b.shut()
	})
}

func TestAnswerWithoutACallIsPublishedByTheNextOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		a.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				return errors.New("out of reach")
			}
			return nil
		}
		a.send(0, "r-1", "sub-1", func(r *event.Request) { r.NotAfter = time.Now().Add(-time.Second) })
		<-a.ended
		a.topics.mu.Lock()
		a.topics.write = nil
		a.topics.mu.Unlock()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(2 * time.Minute)
		wantOncePerRequest(t, b, 1)
		if n := b.next(0); n != 1 {
			t.Errorf("next is %d", n)
		}
		b.shut()
	})
}
