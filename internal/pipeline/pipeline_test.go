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
			Calls: 1, Attempts: 1, SelfieSHA256: fmt.Sprintf("%064d", 7), SelfieBytes: 4,
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
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) {
			l.Windows = []vendors.Window{{Count: 1, Per: 10 * time.Second}}
		})
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

func TestFetchingPausesAtTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(c *Config, l *vendors.LaneConfig) {
			c.MaxOpen = 7
			l.Windows = []vendors.Window{{Count: 1, Per: 1000 * time.Second}}
		})
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
