package pipeline

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

func TestChangedVerdictIsAResultWithAHigherRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		v.poll = time.Second
		w := hosted(t, v)
		w.send(0, "r-1", "sub-1", func(r *event.Request) { r.CampaignID = "camp" })
		v.decide("fav_sub-1_1", event.Approved)
		settle(time.Hour)
		for range 3 { // the same news again changes nothing
			tell(t, w, "fav_sub-1_1", event.Approved)
		}
		settle(time.Minute)
		if v.asked != 0 {
			t.Errorf("asked %d times about a verdict that did not change", v.asked)
		}
		tell(t, w, "fav_sub-1_1", event.Rejected) // a lie
		settle(time.Minute)
		if n := len(finalResults(t, w)); n != 1 || v.asked != 1 {
			t.Fatalf("%d results, asked %d times: the webhook was believed", n, v.asked)
		}
		v.decide("fav_sub-1_1", event.Rejected)
		for range 3 {
			tell(t, w, "fav_sub-1_1", event.Rejected)
		}
		settle(time.Minute)
		rs := finalResults(t, w)
		if len(rs) != 2 {
			t.Fatalf("%d results, want the changed one, once", len(rs))
		}
		second := rs[1]
		if second.Revision != 2 || second.Outcome != event.Rejected || second.RequestID != "r-1" || second.CampaignID != "camp" ||
			second.SubmissionID != "sub-1" || !second.CompletedAt.After(rs[0].CompletedAt) {
			t.Errorf("second result %+v", second)
		}
		w.shut()
	})
}

func TestChangedVerdictSurvivesItsOwner(t *testing.T) {
	for _, published := range []bool{false, true} {
		t.Run(fmt.Sprint("published ", published), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { changeAndDie(t, published) })
		})
	}
}

// changeAndDie kills the owner when it is about to publish a changed verdict, or
// to note that it did.
func changeAndDie(t *testing.T, published bool) {
	v := newHostedVendor()
	v.poll = time.Second
	topics := newFakeTopics()
	a, b := join(t, topics, v, nil), join(t, topics, v, nil)
	a.assign([]int{0, 1, 2}, nil, nil)
	a.send(0, "r-1", "sub-1")
	v.decide("fav_sub-1_1", event.Approved)
	settle(time.Hour)
	dead := make(chan struct{})
	hook := func(recs []event.Record) error {
		r, err := ledger.Decode(recs[0].Value)
		revised := err == nil && r.Step == ledger.Revised
		if recs[0].Topic == "results" && !published || revised && published {
			close(dead)
			<-a.take.Done()
			return context.Canceled
		}
		return nil
	}
	topics.mu.Lock()
	topics.write = hook
	topics.mu.Unlock()
	v.decide("fav_sub-1_1", event.Rejected)
	tell(t, a, "fav_sub-1_1", event.Rejected)
	<-dead
	a.commit()
	a.kill()
	topics.mu.Lock()
	topics.write = nil
	topics.mu.Unlock()
	b.assign([]int{0, 1, 2}, nil, nil)
	settle(time.Hour)
	rs := finalResults(t, b)
	if len(rs) != 2 || rs[1].Revision != 2 || rs[1].Outcome != event.Rejected {
		t.Errorf("results %+v, want the first and one of revision 2", rs)
	}
	b.shut()
}
