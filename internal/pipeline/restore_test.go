package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

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

// The last record of a ledger may be gone while it is read back, and is not to be waited
// for: a group comes back after about as long as its ledger is kept, and retention runs;
// or a leader was elected that lacks it.
func TestLedgerThatLosesItsLastRecordWhileItIsReadBack(t *testing.T) {
	for name, lose := range map[string]func(*fakeTopics){
		"deleted": func(topics *fakeTopics) { topics.deleteAll("ledger/0") },
		"cut off": func(topics *fakeTopics) { topics.cut("ledger/0", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topics, v := newFakeTopics(), &fakeVendor{}
				topics.hold = make(chan struct{})
				a := join(t, topics, v, nil)
				a.assign([]int{0, 1, 2}, nil, nil)
				a.send(0, "r-1", "sub-1")
				settle(time.Minute)
				a.commit()
				a.kill()
				topics.holdTopic("ledger/0")
				b := join(t, topics, v, nil)
				b.assign([]int{0, 1, 2}, nil, nil)
				settle(time.Second)
				lose(topics)
				close(topics.hold)
				b.send(0, "r-2", "sub-2")
				settle(time.Minute)
				wantOncePerRequest(t, b, 2)
				wantCalls(t, b, 1)
				b.shut()
			})
		})
	}
}
