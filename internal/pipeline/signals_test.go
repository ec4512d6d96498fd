package pipeline

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

func TestWholeGroupBacksOffWhenOneReplicaIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{delay: 20 * time.Millisecond}
		v.answer = func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth == 100 {
				return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Throttled, RetryAfter: 10 * time.Second}
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}
		topics := newFakeTopics()
		slow := func(_ *Config, l *vendors.LaneConfig) { l.Windows = perSecond(60) }
		a, b := join(t, topics, v, slow), join(t, topics, v, slow)
		a.assign([]int{0}, nil, nil)
		b.assign([]int{1, 2}, nil, nil)
		for i := range 1500 {
			a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(time.Minute)
		told := v.times[99].Add(20 * time.Millisecond)
		after := 0
		for _, at := range v.times {
			if at.After(told.Add(100*time.Millisecond)) && at.Before(told.Add(10*time.Second)) {
				after++
			}
		}
		if after != 0 {
			t.Errorf("%d calls while the vendor had asked for none", after)
		}
		if n := len(v.called()); n < 1000 {
			t.Errorf("%d calls in a minute: the group did not come back", n)
		}
		a.shut()
		b.shut()
	})
}

func TestBadSignalsAreCountedAndIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := newFakeTopics()
		for _, value := range []string{"", "{", `"throttled"`, `{}`, `{"kind":7}`, string(make([]byte, 8<<10))} {
			topics.append(event.Record{Topic: "signals", Value: []byte(value)})
		}
		// Well-formed, and without meaning to us.
		for _, s := range []signal{
			{Kind: "from-a-later-version", Until: time.Now().Add(time.Hour)},
			{Kind: throttled, Vendor: "somebody", Until: time.Now().Add(time.Hour)},
			{Kind: throttled, Vendor: event.Argos, Until: time.Now().Add(-time.Hour)},
		} {
			value, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			topics.append(event.Record{Topic: "signals", Value: value})
		}
		w := join(t, topics, &fakeVendor{}, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		wantOncePerRequest(t, w, 1)
		if n := testutil.ToFloat64(w.metrics.unreadable.WithLabelValues("signals")); n != 6 {
			t.Errorf("%v unreadable signals were counted, want 6", n)
		}
		w.shut()
	})
}

func TestASignalCannotStopTheGroupForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := newFakeTopics()
		value, _ := json.Marshal(signal{Kind: throttled, Vendor: event.Argos, Until: time.Now().Add(1000 * time.Hour)})
		topics.append(event.Record{Topic: "signals", Value: value})
		w := join(t, topics, &fakeVendor{}, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(16 * time.Minute)
		wantOncePerRequest(t, w, 1)
		w.shut()
	})
}
