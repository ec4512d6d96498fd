package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/storage"
	"reauth/internal/stream"
	"reauth/internal/vendors"
)

func TestRequestEndsInItsResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.delay = 300 * time.Millisecond
		w.send(1, "r-1", "sub-1", func(r *event.Request) { r.CampaignID, r.UserID = "c-1", "u-1" })
		settle(time.Second)
		want := event.Result{
			RequestID: "r-1", CampaignID: "c-1", Vendor: event.Argos, SubmissionID: "sub-1", UserID: "u-1",
			Outcome: event.Approved, VendorReference: "auth-sub-1", Liveness: event.LivenessNone,
			Calls: 1, Attempts: 1, SelfieSHA256: fakeSelfie{}.SHA256(), SelfieBytes: 4,
			Revision: 1, Final: true, Source: event.Source{Topic: "requests", Partition: 1, Offset: 0},
		}
		got := w.results()
		if len(got) != 1 {
			t.Fatalf("%d results", len(got))
		}
		if got[0].TimingsMS.Vendor < 300 || got[0].TimingsMS.Total < 300 || got[0].CompletedAt.IsZero() {
			t.Errorf("timings %+v, completed at %v", got[0].TimingsMS, got[0].CompletedAt)
		}
		got[0].TimingsMS, got[0].CompletedAt = event.Timings{}, time.Time{}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Error(diff)
		}
		if rec := w.topics.written("results")[0]; rec.Partition != 1 {
			t.Errorf("the result is on shard %d, its request on 1", rec.Partition)
		}
		if err := w.shut(); err != nil {
			t.Error(err)
		}
	})
}

func TestOffsetCountsOnlyWhenTheResultIsAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		acked := make(chan struct{})
		w.topics.write = func([]event.Record) error { <-acked; return nil }
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		if n := w.next(0); n > 0 {
			t.Errorf("next is %d with the result not acknowledged", n)
		}
		close(acked)
		settle(time.Second)
		if n := w.next(0); n != 1 {
			t.Errorf("next is %d after the acknowledgement, want 1", n)
		}
		w.shut()
	})
}

func TestSlowRequestHoldsBackTheCommitAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		slow := make(chan struct{})
		w.vendor.answer = func(c vendors.Call, _ int) (vendors.Verdict, error) {
			if c.SubmissionID == "sub-slow" {
				<-slow
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		w.send(0, "r-slow", "sub-slow")
		for i := range 20 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(5 * time.Second)
		if n := len(w.results()); n != 20 {
			t.Errorf("%d results while one call is slow, want 20", n)
		}
		if n := w.next(0); n > 0 {
			t.Errorf("next is %d with the first request open", n)
		}
		close(slow)
		settle(time.Second)
		if n := w.next(0); n != 21 {
			t.Errorf("next is %d with all done, want 21", n)
		}
		w.shut()
	})
}

func TestOneSubjectIsCalledOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.delay = 100 * time.Millisecond
		for i := range 12 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i%2))
		}
		settle(time.Minute)
		if len(w.results()) != 12 || w.vendor.most != 1 {
			t.Errorf("%d results, %d calls at once for one subject", len(w.results()), w.vendor.most)
		}
		w.shut()
	})
}

func TestTransientFailureIsRepeatedWithBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth < 3 {
				return vendors.Verdict{}, transient()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		got := w.results()
		if len(got) != 1 || got[0].Outcome != event.Approved || got[0].Calls != 3 || got[0].Attempts != 3 {
			t.Errorf("results %+v", got)
		}
		w.shut()
	})
}

func transient() error {
	return &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.Transient, Status: 502}
}

// lost is the error of a call whose answer never came.
func lost() error {
	return &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.Transient, Unknown: true}
}

func TestGivenUpRequestIsAFailedResultAndADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, transient() }
		w.send(2, "r-1", "sub-1")
		settle(10 * time.Minute)
		got := w.results()
		if len(got) != 1 || got[0].Outcome != event.Failed || got[0].Calls != 3 ||
			!cmp.Equal(got[0].Reasons, []event.Reason{event.AttemptsExhausted}) {
			t.Fatalf("results %+v", got)
		}
		dead := w.topics.written("dead")
		if len(dead) != 1 {
			t.Fatalf("%d dead letters", len(dead))
		}
		letter, origin, original, err := event.ParseDeadLetter(dead[0])
		if err != nil || origin.Topic != "requests" || origin.Partition != 2 || letter.Reason != event.AttemptsExhausted || letter.RequestID != "r-1" {
			t.Errorf("dead letter %+v from %+v (%v)", letter, origin, err)
		}
		if sent := w.topics.logs["requests/2"][0]; !bytes.Equal(original.Value, sent.Value) {
			t.Errorf("the original was changed to %s", original.Value)
		}
		if n := w.next(2); n != 1 {
			t.Errorf("next is %d", n)
		}
		w.shut()
	})
}

func TestRefusalByTheVendorIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) {
			return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused, Code: "invalid_data_format"}
		}
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		if got := w.results(); len(got) != 1 || got[0].Outcome != event.Failed || got[0].Calls != 1 ||
			!cmp.Equal(got[0].VendorCodes, []string{"invalid_data_format"}) {
			t.Errorf("results %+v", got)
		}
		w.shut()
	})
}

func TestBadRecordsBecomeDeadLettersUntouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		bad := [][]byte{[]byte("{not json"), []byte(`{"request_id":"a"}`), nil, bytes.Repeat([]byte("x"), 70<<10)}
		for _, value := range bad {
			w.topics.append(event.Record{Topic: "requests", Partition: 0, Key: []byte("k"), Value: value,
				Headers: []event.Header{{Key: "mine", Value: []byte{0, 1}}}})
		}
		settle(time.Minute)
		dead := w.topics.written("dead")
		if len(dead) != len(bad) || len(w.results()) != 0 || len(w.vendor.called()) != 0 {
			t.Fatalf("%d dead letters, %d results, %d calls", len(dead), len(w.results()), len(w.vendor.called()))
		}
		seen := map[int64]bool{}
		for _, rec := range dead {
			_, origin, original, err := event.ParseDeadLetter(rec)
			if err != nil || !bytes.Equal(original.Value, bad[origin.Offset]) || string(original.Headers[0].Value) != "\x00\x01" {
				t.Errorf("record %d came back changed (%v)", origin.Offset, err)
			}
			seen[origin.Offset] = true
		}
		if len(seen) != len(bad) || w.next(0) != int64(len(bad)) {
			t.Errorf("records %v, next %d", seen, w.next(0))
		}
		w.shut()
	})
}

func TestExpiredRequestCostsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.send(0, "r-1", "sub-1", func(r *event.Request) { r.NotAfter = time.Now().Add(-time.Minute) })
		settle(time.Minute)
		if got := w.results(); len(got) != 1 || got[0].Outcome != event.Expired || len(w.vendor.called()) != 0 {
			t.Errorf("results %+v, %d calls", got, len(w.vendor.called()))
		}
		w.shut()
	})
}

func TestRequestThatExpiresWhileWaitingCostsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.PerSecond = 0.1 })
		for i := range 3 {
			w.send(i, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), func(r *event.Request) { r.NotAfter = time.Now().Add(15 * time.Second) })
		}
		settle(time.Minute)
		expired := 0
		for _, r := range w.results() {
			if r.Outcome == event.Expired {
				expired++
			}
		}
		if len(w.results()) != 3 || expired == 0 || expired+len(w.vendor.called()) != 3 {
			t.Errorf("%d expired, %d calls", expired, len(w.vendor.called()))
		}
		w.shut()
	})
}

func TestUnusableSelfieCostsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.selfie = func(storage.Ref) error { return &storage.Error{Kind: storage.Unusable, Reason: event.SelfieNotFound} }
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		got := w.results()
		if len(got) != 1 || got[0].Outcome != event.Unusable || got[0].Calls != 0 || !cmp.Equal(got[0].Reasons, []event.Reason{event.SelfieNotFound}) {
			t.Errorf("results %+v", got)
		}
		w.shut()
	})
}

func TestStoreFaultKeepsEveryRequest(t *testing.T) {
	faults := map[string]*storage.Error{
		"bucket missing": {Kind: storage.Fault, Code: "NoSuchBucket", Status: 404},
		"access denied":  {Kind: storage.Fault, Code: accessDenied, Status: 403},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := setup(t, nil)
				var mu sync.Mutex
				down, fetches := true, 0
				w.selfie = func(storage.Ref) error {
					mu.Lock()
					defer mu.Unlock()
					fetches++
					if down {
						return fault
					}
					return nil
				}
				for i := range 50 {
					w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				settle(10 * time.Minute)
				if len(w.results()) != 0 || len(w.topics.written("dead")) != 0 {
					t.Errorf("%d results and %d dead letters while the store was at fault", len(w.results()), len(w.topics.written("dead")))
				}
				if w.StoreFault() == nil || fetches > 150 {
					t.Errorf("fault %v after %d fetches", w.StoreFault(), fetches)
				}
				mu.Lock()
				down = false
				mu.Unlock()
				settle(time.Minute)
				if n := len(w.results()); n != 50 {
					t.Errorf("%d results after the store's return, want 50", n)
				}
				w.shut()
			})
		})
	}
}

func TestForbiddenSelfieAmongGoodOnesIsGivenUpAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.selfie = func(ref storage.Ref) error {
			if ref.Key == "selfies/r-7.jpg" {
				return &storage.Error{Kind: storage.Fault, Code: accessDenied, Status: 403}
			}
			return nil
		}
		for i := range 50 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(10 * time.Minute)
		failed := 0
		for _, r := range w.results() {
			if r.Outcome == event.Failed {
				failed++
				if r.RequestID != "r-7" || !cmp.Equal(r.Reasons, []event.Reason{event.SelfieForbidden}) {
					t.Errorf("failed: %+v", r)
				}
			}
		}
		if len(w.results()) != 50 || failed != 1 || w.StoreFault() != nil {
			t.Errorf("%d results, %d failed, store fault %v", len(w.results()), failed, w.StoreFault())
		}
		w.shut()
	})
}

func TestLaneFaultKeepsEveryRequestAndResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		wrong := &vendors.Error{Vendor: event.Argos, Kind: vendors.LaneFault, Status: 403, Code: "forbidden_key"}
		w.vendor.set(func() {
			w.vendor.check = wrong
			w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, wrong }
		})
		for i := range 60 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(10 * time.Minute)
		if n := len(w.results()) + len(w.topics.written("dead")); n != 0 {
			t.Errorf("%d requests were ended by a wrong key", n)
		}
		w.vendor.set(func() { w.vendor.check, w.vendor.answer = nil, nil })
		settle(time.Minute)
		for _, r := range w.results() {
			if r.Outcome != event.Approved || r.Attempts != 1 {
				t.Fatalf("result %+v", r)
			}
		}
		if n := len(w.results()); n != 60 {
			t.Errorf("%d results after the key was mended, want 60", n)
		}
		w.shut()
	})
}

func TestLostShardIsNotCommittedAndNotCalledFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.PerSecond = 1; l.Registerer = reg })
		w.vendor.delay = 10 * time.Second
		for i := range 30 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(5 * time.Second)
		begun := len(w.vendor.called())
		if begun == 0 {
			t.Fatal("no call was made")
		}
		w.assign(nil, []int{1, 2}, []int{0})
		settle(time.Minute)
		if n := len(w.vendor.called()); n != begun {
			t.Errorf("%d calls were made after the shard was lost", n-begun)
		}
		if n := len(w.results()); n != begun {
			t.Errorf("%d results for the %d calls that were at the vendor", n, begun)
		}
		if _, ok := w.Next()["requests"][0]; ok {
			t.Error("a lost shard would be committed")
		}
		if n := testutil.ToFloat64(w.metrics.afterMove); int(n) != begun {
			t.Errorf("%v results after the move were counted, want %d", n, begun)
		}
		if w.backlog.TryAcquire(w.cfg.MaxBacklog) == false {
			t.Error("requests of the lost shard still count in the backlog")
		}
		w.shut()
	})
}

func TestKeptShardWorksOnThroughARebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.PerSecond = 10 })
		for i := range 60 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(2 * time.Second)
		before := len(w.vendor.called())
		w.Suspend(time.Now().Add(20*time.Second), stream.ErrRebalance)
		settle(time.Second)
		if n := len(w.vendor.called()); n <= before {
			t.Error("no call was made between two generations")
		}
		w.assign(nil, []int{0}, []int{1, 2})
		settle(time.Minute)
		if n := len(w.vendor.called()); n != 60 {
			t.Errorf("%d calls for 60 requests", n)
		}
		if n := w.topics.opened["requests/0"]; n != 1 {
			t.Errorf("a kept shard's reader was opened %d times", n)
		}
		if n := w.next(0); n != 60 {
			t.Errorf("next is %d", n)
		}
		w.shut()
	})
}

func TestNoCallIsMadeOnceTheShardsMayHaveAnotherOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.PerSecond = 10 })
		for i := range 100 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(time.Second)
		until := time.Now().Add(2 * time.Second)
		w.Suspend(until, stream.ErrRebalance)
		settle(time.Minute)
		for _, at := range w.vendor.times {
			if at.After(until) {
				t.Fatalf("a call %v after the lease's end", at.Sub(until))
			}
		}
		if n := len(w.vendor.called()); n < 20 {
			t.Errorf("%d calls up to the lease's end", n)
		}
		w.assign(nil, []int{0}, []int{1, 2})
		settle(time.Minute)
		if n := len(w.results()); n != 100 {
			t.Errorf("%d results after the next generation began", n)
		}
		w.shut()
	})
}

func TestStopFinishesWhatIsAtTheVendorAndBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.PerSecond = 10 })
		w.vendor.delay = 5 * time.Second
		for i := range 100 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(3 * time.Second)
		w.halt()
		synctest.Wait()
		begun := len(w.vendor.called())
		if err := <-w.ended; err != nil {
			t.Errorf("Run ended with %v", err)
		}
		if n := len(w.vendor.called()); n != begun || begun == 0 {
			t.Errorf("%d calls were made after the stop, %d before", n-begun, begun)
		}
		if n := len(w.results()); n != begun {
			t.Errorf("%d results for %d calls", n, begun)
		}
		if n := w.next(0); n != int64(begun) {
			t.Errorf("next is %d, want the %d that are done", n, begun)
		}
	})
}

func TestStopIsBoundedByTheGraceTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) { c.Grace = 10 * time.Second; l.Timeout = time.Hour })
		w.vendor.delay = time.Hour
		w.send(0, "r-1", "sub-1")
		settle(time.Second)
		start := time.Now()
		if err := w.shut(); !errors.Is(err, errCutOff) {
			t.Errorf("Run ended with %v", err)
		}
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if n := w.next(0); n > 0 || len(w.results()) != 0 {
			t.Errorf("next is %d after a call that was cut off", n)
		}
	})
}

func TestFetchingPausesAtTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) { c.MaxOpen = 7; l.PerSecond = 0.001 })
		for i := range 50 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(10 * time.Second)
		if n := w.shards[0].trackers["requests"].span(); n != 7 {
			t.Errorf("%d requests open, want the bound of 7", n)
		}
		w.shut()
	})
}

func TestRecordTooLargeForItsTopicIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		var mu sync.Mutex
		large := true
		w.topics.write = func(recs []event.Record) error {
			mu.Lock()
			defer mu.Unlock()
			if recs[0].Topic == "dead" && large {
				return stream.ErrTooLarge
			}
			return nil
		}
		w.topics.append(event.Record{Topic: "requests", Value: []byte("{")})
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		if len(w.results()) != 1 || w.next(0) > 0 {
			t.Errorf("%d results, next %d: one record that cannot be written must hold back the commit and nothing else", len(w.results()), w.next(0))
		}
		mu.Lock()
		large = false
		mu.Unlock()
		settle(time.Minute)
		if len(w.topics.written("dead")) != 1 || w.next(0) != 2 {
			t.Errorf("%d dead letters, next %d after the topic was mended", len(w.topics.written("dead")), w.next(0))
		}
		w.shut()
	})
}

func TestLastingWriteErrorStopsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		broken := errors.New("broken")
		w.topics.write = func([]event.Record) error { return broken }
		w.send(0, "r-1", "sub-1")
		if err := <-w.ended; !errors.Is(err, broken) {
			t.Errorf("Run ended with %v", err)
		}
		if n := w.next(0); n > 0 {
			t.Errorf("next is %d", n)
		}
	})
}

func TestMetricsLint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.send(0, "r-1", "sub-1")
		settle(time.Second)
		reg := prometheus.NewRegistry()
		newMetrics(reg, w.Pipeline)
		if faults, err := testutil.GatherAndLint(reg); err != nil || len(faults) > 0 {
			t.Errorf("%v %v", faults, err)
		}
		w.shut()
	})
}

func TestBackOffIsBoundedAndSpread(t *testing.T) {
	c := RetryConfig{MaxAttempts: 8, Initial: time.Second, Max: 10 * time.Minute}
	for n := 1; n < 100; n++ {
		most := min(c.Max, c.Initial<<min(n-1, 20))
		var sum time.Duration
		for range 200 {
			d := c.backoff(n)
			if d <= 0 || d > most+1 {
				t.Fatalf("attempt %d: %v, most %v", n, d, most)
			}
			sum += d
		}
		if mean := sum / 200; mean < most/4 || mean > most*3/4 {
			t.Errorf("attempt %d: mean %v of at most %v: no full jitter", n, mean, most)
		}
	}
}
