package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/stream"
	"reauth/internal/vendors"
)

// pair is two replicas on the same topics and vendor: the first owns all
// shards, until the second takes them over.
func pair(t *testing.T, vendor vendors.Adapter, change func(*Config, *vendors.LaneConfig)) (a, b *world) {
	topics := newFakeTopics()
	a, b = join(t, topics, vendor, change), join(t, topics, vendor, change)
	a.assign([]int{0, 1, 2}, nil, nil)
	return a, b
}

// outcomes counts results by request id.
func outcomes(w *world) map[string]int {
	n := map[string]int{}
	for _, r := range w.results() {
		n[r.RequestID]++
	}
	return n
}

func wantOncePerRequest(t *testing.T, w *world, requests int) {
	t.Helper()
	wantOnceEach(t, "results", outcomes(w), requests)
}

// wantOnceEach wants one of a kind for each of so many.
func wantOnceEach(t *testing.T, kind string, got map[string]int, want int) {
	t.Helper()
	for of, n := range got {
		if n != 1 {
			t.Errorf("%d %s for %q", n, kind, of)
		}
	}
	if len(got) != want {
		t.Errorf("%d of %d have %s", len(got), want, kind)
	}
}

func wantCalls(t *testing.T, w *world, most int) {
	t.Helper()
	n := map[string]int{}
	for _, subject := range w.vendor.called() {
		n[subject]++
	}
	for subject, calls := range n {
		if calls > most {
			t.Errorf("%d calls for %s", calls, subject)
		}
	}
}

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

func TestParkedRequestSurvivesItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth < 2 {
				return vendors.Verdict{}, transient()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}
		a, b := pair(t, v, func(c *Config, _ *vendors.LaneConfig) { c.Retry.Initial, c.Retry.Max = time.Hour, time.Hour })
		a.send(0, "r-1", "sub-1", func(r *event.Request) { r.UserID = "u-1" })
		settle(10 * time.Second)
		if n := a.next(0); n != 1 {
			t.Fatalf("next is %d: a parked request holds no offset", n)
		}
		a.commit()
		a.kill()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(2 * time.Hour)
		wantOncePerRequest(t, b, 1)
		if r := b.results()[0]; r.Outcome != event.Approved || r.Calls != 2 || r.Attempts != 2 || r.UserID != "u-1" || r.Source.Offset != 0 {
			t.Errorf("result %+v", r)
		}
		b.shut()
	})
}

func TestParkedRequestsOfALostShardAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.cfg.Retry.Initial, w.cfg.Retry.Max = 1e6*time.Hour, 1e6*time.Hour
		w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, transient() }
		w.send(0, "r-1", "sub-1")
		w.send(1, "r-2", "sub-2")
		settle(10 * time.Second)
		w.assign(nil, []int{1, 2}, []int{0})
		if n, _ := w.parking.len(); n != 1 {
			t.Errorf("%d requests are parked, want that of the shard that stayed", n)
		}
		w.shut()
	})
}

func TestParkedLongerThanTheWindowIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth < 2 {
				return vendors.Verdict{}, transient()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}
		a, b := pair(t, v, func(c *Config, _ *vendors.LaneConfig) { c.Window = time.Hour })
		a.cfg.Retry.Initial, a.cfg.Retry.Max = 1e6*time.Hour, 1e6*time.Hour
		a.send(0, "r-1", "sub-1")
		settle(5 * time.Hour)
		rewritten := 0
		for _, rec := range a.topics.logs["ledger/0"] {
			if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Parked {
				rewritten++
			}
		}
		if rewritten < 5 || rewritten > 12 {
			t.Errorf("the parked record was written %d times in five windows", rewritten)
		}
		a.commit()
		a.kill()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Second)
		if n, _ := b.parking.len(); n != 1 {
			t.Errorf("%d parked requests were restored", n)
		}
		b.shut()
	})
}

// lost is the error of a call whose answer never came.
func lost() error {
	return &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.Transient, Unknown: true}
}

func TestUnknownOutcome(t *testing.T) {
	answer := func(_ vendors.Call, nth int) (vendors.Verdict, error) {
		if nth == 1 {
			return vendors.Verdict{}, lost()
		}
		return vendors.Verdict{Outcome: event.Rejected, Reasons: []event.Reason{event.FaceOccluded}}, nil
	}
	t.Run("found at the vendor", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := join(t, newFakeTopics(), findingVendor{&fakeVendor{answer: answer}}, nil)
			w.assign([]int{0}, nil, nil)
			w.send(0, "r-1", "sub-1")
			settle(10 * time.Minute)
			wantOncePerRequest(t, w, 1)
			if r := w.results()[0]; len(w.vendor.called()) != 1 || r.Outcome != event.Approved || r.Calls != 1 {
				t.Errorf("%d calls, result %+v", len(w.vendor.called()), r)
			}
			w.shut()
		})
	})
	t.Run("not at the vendor", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v := &fakeVendor{}
			v.answer = func(c vendors.Call, nth int) (vendors.Verdict, error) {
				if nth == 1 {
					v.set(func() { v.kept = nil })
				}
				return answer(c, nth)
			}
			w := join(t, newFakeTopics(), findingVendor{v}, nil)
			w.assign([]int{0}, nil, nil)
			w.send(0, "r-1", "sub-1")
			settle(10 * time.Minute)
			wantOncePerRequest(t, w, 1)
			if r := w.results()[0]; len(w.vendor.called()) != 2 || r.Outcome != event.Rejected || testutil.ToFloat64(w.metrics.possibleDouble) != 0 {
				t.Errorf("%d calls, result %+v", len(w.vendor.called()), r)
			}
			if gap := w.vendor.times[1].Sub(w.vendor.times[0]); gap < 30*time.Second {
				t.Errorf("repeated %v after the call, which may still have been under way", gap)
			}
			w.shut()
		})
	})
	t.Run("another request's authentication is not ours", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v := &fakeVendor{}
			v.answer = func(c vendors.Call, nth int) (vendors.Verdict, error) {
				if nth == 2 { // the second request's first call is lost before the vendor
					v.set(func() { v.kept["sub-1"] = v.kept["sub-1"][:1] })
					return vendors.Verdict{}, lost()
				}
				return vendors.Verdict{Outcome: event.Approved, Reference: "auth-sub-1"}, nil
			}
			w := join(t, newFakeTopics(), findingVendor{v}, nil)
			w.assign([]int{0}, nil, nil)
			w.send(0, "r-1", "sub-1")
			w.send(0, "r-2", "sub-1")
			settle(10 * time.Minute)
			wantOncePerRequest(t, w, 2)
			if n := len(w.vendor.called()); n != 3 {
				t.Errorf("%d calls, want that the lost one is repeated", n)
			}
			w.shut()
		})
	})
	t.Run("vendor cannot be asked, repeat", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := join(t, newFakeTopics(), &fakeVendor{answer: answer}, nil)
			w.assign([]int{0}, nil, nil)
			w.send(0, "r-1", "sub-1")
			settle(10 * time.Minute)
			wantOncePerRequest(t, w, 1)
			if n := testutil.ToFloat64(w.metrics.possibleDouble); len(w.vendor.called()) != 2 || n != 1 {
				t.Errorf("%d calls, %v possible double charges", len(w.vendor.called()), n)
			}
			w.shut()
		})
	})
	t.Run("vendor cannot be asked, hold", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := join(t, newFakeTopics(), &fakeVendor{answer: answer}, func(c *Config, _ *vendors.LaneConfig) { c.HoldUnknown = true })
			w.assign([]int{0}, nil, nil)
			w.send(0, "r-1", "sub-1")
			settle(10 * time.Minute)
			wantOncePerRequest(t, w, 1)
			if r := w.results()[0]; len(w.vendor.called()) != 1 || r.Outcome != event.Failed || !cmp.Equal(r.Reasons, []event.Reason{event.UnknownOutcome}) {
				t.Errorf("%d calls, result %+v", len(w.vendor.called()), r)
			}
			if n := len(w.topics.written("dead")); n != 1 {
				t.Errorf("%d dead letters", n)
			}
			w.shut()
		})
	})
}

func TestUnknownOutcomesAreNotRepeatedForEver(t *testing.T) {
	for name, vendor := range map[string]func(*fakeVendor) vendors.Adapter{
		"vendor can be asked":    func(v *fakeVendor) vendors.Adapter { return findingVendor{v} },
		"vendor cannot be asked": func(v *fakeVendor) vendors.Adapter { return v },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &fakeVendor{}
				v.answer = func(vendors.Call, int) (vendors.Verdict, error) {
					v.set(func() { v.kept = nil })
					return vendors.Verdict{}, lost()
				}
				w := join(t, newFakeTopics(), vendor(v), nil)
				w.assign([]int{0}, nil, nil)
				w.send(0, "r-1", "sub-1")
				settle(time.Hour)
				wantOncePerRequest(t, w, 1)
				if letter, _, _, err := event.ParseDeadLetter(w.topics.written("dead")[0]); err != nil || letter.Class != "unknown_outcome" {
					t.Errorf("dead letter %+v (%v)", letter, err)
				}
				if r := w.results()[0]; r.Outcome != event.Failed || r.Calls != 3 || !cmp.Equal(r.Reasons, []event.Reason{event.AttemptsExhausted}) {
					t.Errorf("result %+v", r)
				}
				w.shut()
			})
		})
	}
}

func TestManyUnknownOutcomesAreAskedAboutTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{listing: 2 * time.Second}
		v.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, lost() }
		w := join(t, newFakeTopics(), findingVendor{v}, func(c *Config, l *vendors.LaneConfig) { l.Breaker.Ratio = 1.1 })
		w.assign([]int{0, 1, 2}, nil, nil)
		for i := range 60 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(10 * time.Minute)
		wantOncePerRequest(t, w, 60)
		wantCalls(t, w, 1)
		if v.asked > 15 {
			t.Errorf("the vendor was asked %d times about 60 calls", v.asked)
		}
		w.shut()
	})
}

func TestUnknownOutcomeStaysUnknownUntilTheVendorHasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{refusal: transient()}
		v.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, lost() }
		w := join(t, newFakeTopics(), findingVendor{v}, nil)
		w.assign([]int{0}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(10 * time.Minute)
		wantOncePerRequest(t, w, 1)
		wantCalls(t, w, 1)
		w.shut()
	})
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

func TestRequestParkedByTheFormerOwnerIsLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{delay: 2 * time.Second}
		v.answer = func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth == 1 {
				return vendors.Verdict{}, lost()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		a, b := pair(t, findingVendor{v}, nil)
		a.send(0, "r-1", "sub-1")
		settle(time.Second)
		a.assign(nil, nil, []int{0, 1, 2})
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Minute)
		wantOncePerRequest(t, b, 1)
		wantCalls(t, b, 1)
		if n := b.next(0); n != 1 {
			t.Errorf("next is %d", n)
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

func TestSentBackFailureIsTriedAgainAndNothingElseIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(c vendors.Call, nth int) (vendors.Verdict, error) {
			if nth == 1 {
				return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused}
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}
		w := join(t, newFakeTopics(), v, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		back := func() {
			rec := w.topics.logs["requests/0"][0]
			rec.Headers = []event.Header{{Key: event.HeaderRedrive, Value: []byte("1")}}
			w.topics.append(rec)
			settle(time.Minute)
		}
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		back()
		got := w.results()
		if len(got) != 2 || got[0].Outcome != event.Failed || got[1].Outcome != event.Approved || got[1].Revision != 2 {
			t.Fatalf("results %+v", got)
		}
		back() // approved now
		if len(w.results()) != 2 || len(v.called()) != 2 {
			t.Errorf("%d results, %d calls after an approved request was sent back", len(w.results()), len(v.called()))
		}
		w.shut()
	})
}

func TestSentBackBeforeTheFailuresResultIsNotSwallowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth == 1 {
				return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused}
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}
		w := join(t, newFakeTopics(), v, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		held := make(chan struct{})
		w.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				<-held
			}
			return nil
		}
		w.send(0, "r-1", "sub-1")
		settle(time.Second)
		rec := w.topics.logs["requests/0"][0]
		rec.Headers = []event.Header{{Key: event.HeaderRedrive, Value: []byte("1")}}
		w.topics.append(rec)
		settle(time.Minute)
		close(held)
		settle(time.Minute)
		got := w.results()
		if len(got) != 2 || got[0].Outcome != event.Failed || got[1].Outcome != event.Approved || w.next(0) != 2 {
			t.Errorf("next %d, results %+v", w.next(0), got)
		}
		w.shut()
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

func TestBadLedgerRecordsAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := newFakeTopics()
		for _, value := range []string{"", "{", `{"step":"charged"}`, `{"step":"claimed"}`, "\x00\x01"} {
			topics.append(event.Record{Topic: "ledger", Key: []byte("r-1"), Value: []byte(value)})
		}
		topics.append(event.Record{Topic: "ledger", Value: nil})
		w := join(t, topics, &fakeVendor{}, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		wantOncePerRequest(t, w, 1)
		if n := testutil.ToFloat64(w.metrics.unreadable.WithLabelValues("ledger")); n != 6 {
			t.Errorf("%v unreadable records were counted, want 6", n)
		}
		w.shut()
	})
}

func TestRetriesKeepToTheirBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) {
			c.Retry.Budget, c.Retry.MaxAttempts, c.MaxOpen = 0.1, 4, 1000
			l.Breaker.Ratio = 1.1
		})
		w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, transient() }
		for i := range 600 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(30 * time.Second)
		retries := len(w.vendor.called()) - 600
		if most := budgetReserve + 60 + 30*budgetPerSecond + 1; retries > most || retries < budgetReserve {
			t.Errorf("%d retries in 30 s for 600 first attempts at a budget of a tenth", retries)
		}
		settle(time.Hour)
		if n := len(w.results()); n != 600 {
			t.Errorf("%d of 600 requests came to an end: retries must not starve", n)
		}
		w.shut()
	})
}

func TestCheckpointFollowsThePublishedResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		for i := range 5 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(time.Minute)
		s := ledger.NewShard(time.Hour)
		checkpoints := 0
		for _, rec := range w.topics.logs["ledger/0"] {
			if err := s.Apply(rec.Key, rec.Value, rec.Time); err != nil {
				t.Fatal(err)
			}
			if r, _ := ledger.Decode(rec.Value); r.Step == ledger.Checkpoint {
				checkpoints++
			}
		}
		if open, answered := s.Len(); open != 0 || answered != 5 {
			t.Errorf("a restore finds %d open and %d answered requests", open, answered)
		}
		if checkpoints == 0 || checkpoints > 4 {
			t.Errorf("%d checkpoints in a quiet minute", checkpoints)
		}
		w.shut()
	})
}
