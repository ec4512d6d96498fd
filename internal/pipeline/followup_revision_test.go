package pipeline

import (
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
)

func TestAuditCheckAndWebhookPublishARevisionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		c := FollowUpConfig{AuditChecks: []time.Duration{10 * time.Minute, 20 * time.Minute, 2 * time.Hour}}
		w := followingAlone(t, v, c, nil)
		v.decide("fav_sub-1_1", event.Approved)
		w.send(0, "r-1", "sub-1")
		settle(5 * time.Minute)
		v.decide("fav_sub-1_1", event.Rejected)
		for range 5*60 + 30 { // the webhook tells again and again while it is asked for
			tell(t, w, "fav_sub-1_1", event.Rejected)
			time.Sleep(time.Second)
		}
		settle(time.Minute)
		if rs := finalResults(t, w); len(rs) != 2 || rs[1].Revision != 2 {
			t.Fatalf("results %+v, want one revision", rs)
		}
		// Long after the window, nothing is known of it but by its follow-up.
		settle(time.Hour)
		v.decide("fav_sub-1_1", event.Approved)
		settle(time.Hour)
		if rs := finalResults(t, w); len(rs) != 3 || rs[2].Revision != 3 || rs[2].Outcome != event.Approved || left(w) != 0 {
			t.Errorf("results %+v, %d left; want a third revision", rs, left(w))
		}
		w.shut()
	})
}

func TestAuditCheckWaitsForARevisionThatIsBeingPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		w := followingAlone(t, v, FollowUpConfig{AuditChecks: []time.Duration{10 * time.Minute}}, nil)
		v.decide("fav_sub-1_1", event.Approved)
		w.send(0, "r-1", "sub-1")
		settle(10 * time.Minute) // the check is due in a moment
		w.topics.mu.Lock()
		w.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				time.Sleep(time.Minute) // fake time
			}
			return nil
		}
		w.topics.mu.Unlock()
		v.decide("fav_sub-1_1", event.Rejected)
		tell(t, w, "fav_sub-1_1", event.Rejected)
		settle(10 * time.Minute)
		if rs := finalResults(t, w); len(rs) != 2 || v.askedFor() != 2 {
			t.Errorf("%d results after both asked (%d did), want one revision", len(rs), v.askedFor())
		}
		w.shut()
	})
}

func TestRevisionWaitsForTheFirstResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		w := followingAlone(t, v, FollowUpConfig{AuditChecks: []time.Duration{time.Minute}}, nil)
		v.decide("fav_sub-1_1", event.Approved)
		w.topics.mu.Lock()
		w.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" && event.TypeOf(recs[0]) == event.TypeResult {
				time.Sleep(5 * time.Minute) // fake time
			}
			return nil
		}
		w.topics.mu.Unlock()
		w.send(0, "r-1", "sub-1")
		settle(30 * time.Second)
		v.decide("fav_sub-1_1", event.Rejected)
		settle(4 * time.Minute)
		if n := v.askedFor(); n != 0 {
			t.Errorf("asked %d times before there is a result to revise", n)
		}
		settle(10 * time.Minute)
		if rs := finalResults(t, w); len(rs) != 2 || rs[0].Revision != 1 || rs[1].Revision != 2 {
			t.Errorf("results %+v, want the first and its revision", rs)
		}
		w.shut()
	})
}
