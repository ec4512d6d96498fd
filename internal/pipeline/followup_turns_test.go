package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

func TestPausedVendorIsNotAskedForFollowUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		w := followingAlone(t, v, everything, nil)
		v.decide("fav_sub-1_1", event.Approved)
		w.send(0, "r-1", "sub-1")
		settle(3 * time.Second) // answered, and not archived yet
		w.lines[event.Argos].pause(true)
		settle(2 * time.Hour)
		if v.lists() != 0 || v.askedFor() != 0 || v.erasures() != 0 {
			t.Errorf("a paused vendor was asked for %d lists, %d verdicts, %d erasures", v.lists(), v.askedFor(), v.erasures())
		}
		w.lines[event.Argos].pause(false)
		settle(time.Minute)
		if len(v.archived.all()) != 1 || v.askedFor() != 1 || v.erasures() != 1 || len(v.tooEarly()) != 0 {
			t.Errorf("afterwards: archived %v, asked %d times, %d erased (early: %v)", v.archived.all(), v.askedFor(), v.erasures(), v.tooEarly())
		}
		w.shut()
	})
}

func TestFollowUpsGetFewTurnsWhileRequestsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, topics := newPicturedVendor(), newFakeTopics()
		w := join(t, topics, v, func(cfg *Config, lane *vendors.LaneConfig) {
			cfg.FollowUps = map[event.Vendor]FollowUpConfig{event.Argos: {AuditChecks: []time.Duration{time.Hour}}}
			cfg.MaxOpen = 2000
			lane.Windows, lane.MaxInFlight = perSecond(5), 64
		})
		w.assign([]int{0, 1, 2}, nil, nil)
		for i := range 100 {
			subject := fmt.Sprint("sub-", i)
			v.decide("fav_"+subject+"_1", event.Approved)
			w.send(i%3, "r-"+subject, subject)
		}
		settle(58 * time.Minute)
		for i := range 2000 {
			w.send(i%3, fmt.Sprint("r-new-", i), fmt.Sprint("new-", i))
		}
		settle(3 * time.Minute) // audit checks are due, and 2000 requests wait
		asked, before := v.askedFor(), v.callsMade()
		settle(2 * time.Minute)
		asked, called := v.askedFor()-asked, v.callsMade()-before
		if share := float64(asked) / float64(called); asked == 0 || share > .1 {
			t.Errorf("%d of %d calls went to audit checks while requests waited: want some, and few", asked, called)
		}
		w.shut()
	})
}

func TestRequestsAreNotBegunWhileTooManyAreFollowedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		v.poll = 10 * time.Minute
		c := FollowUpConfig{AnonymiseAfter: 3 * time.Hour}
		w := followingAlone(t, v, c, func(cfg *Config) { cfg.MaxFollowUps = 6 }) // two a shard
		w.send(0, "r-slow", "slow")
		settle(time.Minute)
		for i := range 5 {
			subject := fmt.Sprint("sub-", i)
			v.decide("fav_"+subject+"_1", event.Approved)
			w.send(0, "r-"+subject, subject)
			settle(15 * time.Minute)
		}
		v.decide("fav_slow_1", event.Approved) // it was begun before
		settle(20 * time.Minute)
		if n := len(finalResults(t, w)); n != 3 || left(w) != 3 {
			t.Errorf("%d results, %d to be followed up: want two, and the one that was at the vendor", n, left(w))
		}
		settle(10 * time.Hour)
		if n := len(finalResults(t, w)); n != 6 || v.erasures() != 6 {
			t.Errorf("%d results and %d erased in the end: want all", n, v.erasures())
		}
		w.shut()
	})
}
