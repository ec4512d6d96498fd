package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

func TestVerdictIsFollowedUpInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		w := followingAlone(t, v, everything, nil)
		v.decide("fav_sub-1_1", event.Approved)
		w.send(0, "r-1", "sub-1")
		settle(2 * time.Minute)
		if diff := cmp.Diff(archivedOne, v.archived.all()); diff != "" {
			t.Errorf("archived soon after the verdict (-want +got):\n%s", diff)
		}
		v.decide("fav_sub-1_1", event.Rejected) // and no webhook tells
		settle(20 * time.Minute)
		if n := len(finalResults(t, w)); n != 1 || v.askedFor() != 0 {
			t.Fatalf("%d results, asked %d times before the audit check is due", n, v.askedFor())
		}
		settle(20 * time.Minute)
		rs := finalResults(t, w)
		if len(rs) != 2 || rs[1].Revision != 2 || rs[1].Outcome != event.Rejected || rs[1].RequestID != "r-1" || v.askedFor() != 1 {
			t.Errorf("asked %d times, results %+v; want the changed verdict once", v.askedFor(), rs)
		}
		if v.erasures() != 0 {
			t.Error("anonymised before its time")
		}
		settle(time.Hour)
		if v.erasedOf("fav_sub-1_1") != 1 || len(v.tooEarly()) != 0 || left(w) != 0 {
			t.Errorf("erased %d, before being archived %v, %d left to be done", v.erasures(), v.tooEarly(), left(w))
		}
		w.shut()
	})
}

func TestFollowUpsSurviveADeathBetweenAnyTwoSteps(t *testing.T) {
	// Death comes right before or right after each write: those before the
	// answer, the answer, its result, and of what follows each record and the
	// revision.
	const writes = 18
	reached := 0
	for die := 6; die <= writes; die++ {
		for _, written := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, written %v", die, written), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if dieWhileFollowingUp(t, die, written) {
						reached = die
					}
				})
			})
		}
	}
	if reached == writes || reached < 13 {
		t.Errorf("there was a write %d: the last of them is not tried, or the first are missing", reached)
	}
}

// dieWhileFollowingUp kills the owner at a write; died says whether there were so
// many.
func dieWhileFollowingUp(t *testing.T, die int, written bool) (died bool) {
	v, topics := newPicturedVendor(), newFakeTopics()
	a, b := followingUp(t, topics, v, everything, nil), followingUp(t, topics, v, everything, nil)
	a.assign([]int{0, 1, 2}, nil, nil)
	synctest.Wait() // it has the shards restored
	writes, dead := 0, make(chan struct{})
	topics.write = func(recs []event.Record) error {
		if recs[0].Topic == "signals" || len(recs[0].Key) == 0 {
			return nil // of no request
		}
		topics.mu.Lock()
		writes++
		now := writes == die
		topics.mu.Unlock()
		if !now {
			return nil
		}
		if written {
			topics.keep(recs)
		}
		close(dead)
		<-a.take.Done()
		return context.Canceled
	}
	v.decide("fav_sub-1_1", event.Approved)
	v.decide("fav_sub-1_2", event.Approved)
	a.send(0, "r-1", "sub-1")
	go func() {
		time.Sleep(20 * time.Minute)
		v.decide("fav_sub-1_1", event.Rejected)
		v.decide("fav_sub-1_2", event.Rejected)
	}()
	select {
	case <-dead:
		a.commit()
		a.kill()
		died = true
	case <-time.After(2 * time.Hour): // there are not so many writes
		a.shut()
	}
	b.assign([]int{0, 1, 2}, nil, nil)
	settle(2 * time.Hour)
	if diff := cmp.Diff(archivedOne, v.archived.all()); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
	if v.erasedOf("fav_sub-1_1") == 0 || v.erasures() != v.erasedOf("fav_sub-1_1") || len(v.tooEarly()) != 0 {
		t.Errorf("erased %d, before being archived %v", v.erasures(), v.tooEarly())
	}
	rs := finalResults(t, b)
	if len(rs) != 2 || rs[0].Revision != 1 || rs[1].Revision != 2 || rs[1].Outcome != event.Rejected {
		t.Errorf("results %+v, want an approval and its revision, once each", rs)
	}
	if n := left(b); n != 0 {
		t.Errorf("%d left to be done", n)
	}
	b.shut()
	return died
}

func TestFollowUpOutlivesManyWindowsAndItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, topics := newPicturedVendor(), newFakeTopics()
		c := FollowUpConfig{AnonymiseAfter: 3 * time.Hour}
		a, b := followingUp(t, topics, v, c, nil), followingUp(t, topics, v, c, nil)
		a.assign([]int{0, 1, 2}, nil, nil)
		v.decide("fav_sub-1_1", event.Approved)
		a.send(0, "r-1", "sub-1")
		settle(100 * time.Minute)
		a.commit()
		a.kill()
		settle(5 * time.Minute)
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Hour)
		if left(b) != 1 || v.erasures() != 0 {
			t.Fatalf("%d left to be done after a takeover, %d erased", left(b), v.erasures())
		}
		settle(time.Hour)
		if v.erasedOf("fav_sub-1_1") != 1 || left(b) != 0 {
			t.Errorf("erased %d, %d left", v.erasures(), left(b))
		}
		b.shut()
	})
}

func TestWhatIsNotOfferedAnyMoreIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		w := followingAlone(t, v, everything, nil)
		w.parts.Archives = nil // the settings of a later start
		v.decide("fav_sub-1_1", event.Approved)
		w.send(0, "r-1", "sub-1")
		settle(2 * time.Hour)
		if v.erasures() != 1 || left(w) != 0 {
			t.Errorf("%d erased, %d left to be done", v.erasures(), left(w))
		}
		w.shut()
	})
}

func TestPersonWhoRefusedIsNotArchived(t *testing.T) {
	v := newPicturedVendor()
	p := New(Config{FollowUps: map[event.Vendor]FollowUpConfig{event.Argos: everything}}, Parts{
		Lanes:  map[event.Vendor]*vendors.Lane{event.Argos: vendors.NewLane(v, vendors.LaneConfig{MaxInFlight: 1, Logger: slog.New(slog.DiscardHandler)})},
		Logger: slog.New(slog.DiscardHandler),
	})
	it := &item{request: event.Request{RequestID: "r-1", Vendor: event.Argos}}
	at := time.Now()
	answer := ledger.Answer{Outcome: event.Rejected, Reference: "fav_1", Revisable: true}
	if f := p.followUpOf(it, answer, at); f == nil || f.Archive.IsZero() || len(f.Audits) != 1 || f.Anonymise.IsZero() {
		t.Errorf("follow-up of a rejection %+v, want everything", f)
	}
	answer.Reasons = []event.Reason{event.SubjectRefused}
	if f := p.followUpOf(it, answer, at); f == nil || !f.Archive.IsZero() || len(f.Audits) != 1 {
		t.Errorf("follow-up of a refusal %+v, want no archiving: nothing was recorded", f)
	}
	answer.Outcome = event.Expired
	if f := p.followUpOf(it, answer, at); f == nil || !f.Archive.IsZero() || len(f.Audits) != 0 || f.Anonymise.IsZero() {
		t.Errorf("follow-up of an expired request %+v, want it anonymised only", f)
	}
	answer.Reference = ""
	if f := p.followUpOf(it, answer, at); f != nil {
		t.Errorf("follow-up %+v of a request that the vendor does not know", f)
	}
}
