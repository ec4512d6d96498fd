package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/stream"
	"reauth/internal/vendors"
)

func TestResultGivenUpWithTheLeaseIsNoSecondResult(t *testing.T) {
	for _, reached := range []bool{true, false} {
		t.Run(fmt.Sprint("reached ", reached), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := setup(t, nil)
				tries := 0
				w.topics.write = func(recs []event.Record) error {
					if recs[0].Topic != "results" {
						return nil
					}
					if tries++; tries > 1 {
						return nil
					}
					return w.loseLease(recs, reached)
				}
				w.send(0, "r-1", "sub-1")
				settle(5 * time.Minute)
				w.assign(nil, []int{0, 1, 2}, nil)
				settle(time.Minute)
				wantOncePerRequest(t, w, 1)
				if n := w.next(0); n != 1 {
					t.Errorf("next is %d, want the request done", n)
				}
				w.shut()
			})
		})
	}
}

func TestAnswerThatMeetsALapsedLeaseIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.selfie = func(storage.Ref) error {
			w.Suspend(time.Now(), stream.ErrRebalance) // just now
			return &storage.Error{Kind: storage.Unusable, Reason: event.SelfieNotFound}
		}
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		if n := len(w.results()); n != 0 {
			t.Errorf("%d results while another replica may own the shard", n)
		}
		w.assign(nil, []int{0, 1, 2}, nil)
		settle(time.Minute)
		wantOncePerRequest(t, w, 1)
		if n := w.next(0); n != 1 {
			t.Errorf("next is %d: nobody else brings the request up", n)
		}
		w.shut()
	})
}

func TestClaimOfAFormerOwnerIsNoLeaveToPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		held, first := make(chan struct{}), true
		a.topics.write = func(recs []event.Record) error {
			if r, err := ledger.Decode(recs[0].Value); err == nil && r.Step == ledger.Claimed && first {
				first = false
				<-held // the claim of the first owner is long on its way
			}
			return nil
		}
		a.send(0, "r-1", "sub-1", func(r *event.Request) { r.NotAfter = time.Now().Add(20 * time.Second) })
		settle(time.Second)
		a.Suspend(time.Now(), stream.ErrRebalance) // has lost the shard, and does not know
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(30 * time.Second)
		close(held)
		settle(time.Minute)
		a.assign(nil, nil, []int{0, 1, 2})
		settle(time.Minute)
		wantOncePerRequest(t, b, 1)
		wantCalls(t, b, 1)
		a.shut()
		b.shut()
	})
}

func TestAnswerThatWasNotReadYetIsReadBeforeSettling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		b.topics.hold = make(chan struct{})
		until := time.Now().Add(35 * time.Second)
		called := time.Now()
		claim := ledger.Record{Step: ledger.Claimed, Claim: 1, Owner: "gone", Until: &until, Called: &called, Source: ledger.Source{Topic: "requests"}}
		answer := ledger.Record{Step: ledger.Answered, Claim: 1, Answer: &ledger.Answer{Outcome: event.Rejected, CompletedAt: called}}
		a.halt() // only b works here
		<-a.ended
		b.topics.append(event.Record{Topic: "ledger", Key: []byte("r-1"), Value: claim.Encode()})
		b.assign([]int{0, 1, 2}, nil, nil)
		b.send(0, "r-1", "sub-1")
		settle(30 * time.Second)
		b.topics.holdTopic("ledger/0")
		b.topics.append(event.Record{Topic: "ledger", Key: []byte("r-1"), Value: answer.Encode()})
		settle(8 * time.Second)
		close(b.topics.hold)
		settle(2 * time.Minute)
		wantOncePerRequest(t, b, 1)
		if r := b.results()[0]; len(b.vendor.called()) != 0 || r.Outcome != event.Rejected {
			t.Errorf("%d calls, result %+v", len(b.vendor.called()), r)
		}
		b.shut()
	})
}

func TestNoCallBeforeItsClaimIsInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		acked := make(chan struct{})
		w.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "ledger" {
				<-acked
			}
			return nil
		}
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		if n := len(w.vendor.called()); n != 0 {
			t.Errorf("%d calls without a claim", n)
		}
		close(acked)
		settle(time.Minute)
		wantOncePerRequest(t, w, 1)
		// The claim that took a minute covers no call any more: there is a second.
		claims := 0
		for _, rec := range w.topics.logs["ledger/0"] {
			if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Claimed {
				claims++
			}
		}
		if claims != 2 {
			t.Errorf("%d claims", claims)
		}
		w.shut()
	})
}

func TestNoResultBeforeItsAnswerIsInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.topics.write = func(recs []event.Record) error {
			if r, err := ledger.Decode(recs[0].Value); err == nil && r.Step == ledger.Answered {
				return errors.New("out of reach")
			}
			return nil
		}
		w.send(0, "r-1", "sub-1")
		<-w.ended
		if n := len(w.results()); n != 0 {
			t.Errorf("%d results without an answer", n)
		}
	})
}

func TestFormerOwnerPublishesNothingPastItsClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, func(_ *Config, l *vendors.LaneConfig) { l.Timeout = 2 * time.Second })
		held := make(chan struct{})
		first := true
		a.topics.write = func(recs []event.Record) error {
			if r, err := ledger.Decode(recs[0].Value); err == nil && r.Step == ledger.Answered && first {
				first = false
				<-held // the answer of the first owner takes very long
			}
			return nil
		}
		a.send(0, "r-1", "sub-1")
		settle(2 * time.Second)
		a.assign(nil, nil, []int{0, 1, 2})
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(2 * time.Minute)
		close(held)
		settle(2 * time.Minute)
		wantOncePerRequest(t, b, 1)
		if n := testutil.ToFloat64(a.metrics.abandoned); n != 1 {
			t.Errorf("%v requests were left to the new owner", n)
		}
		a.shut()
		b.shut()
	})
}

func TestClaimThatDoesNotCoverTheCallMakesNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		settle(time.Second)
		it := &item{shard: w.shards[0], entry: &ledger.Entry{}, claim: 1, until: time.Now().Add(30*time.Second + w.cfg.ClaimMargin/2)}
		if err := w.mayCall(it, 30*time.Second); err != nil {
			t.Errorf("a covered call is refused: %v", err)
		}
		it.until = it.until.Add(-time.Millisecond)
		if err := w.mayCall(it, 30*time.Second); !errors.Is(err, errLateClaim) {
			t.Errorf("a call past its claim: %v", err)
		}
		w.shut()
	})
}
