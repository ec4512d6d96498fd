package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// outage is a group of three replicas with a backlog, whose vendor is out for a
// minute from the tenth second on.
type outage struct {
	vendor   *fakeVendor
	replicas []*world
	out      time.Time
	back     time.Time
	// opened is when the first breaker opened, closed when the last closed.
	opened, closed time.Time
}

// errOut is the vendor's answer to calls and checks while it is out.
var errOut error = &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.Transient, Err: errors.New("HTTP 503")}

// suffer lets the outage happen. change is made to each replica's lane.
func suffer(t *testing.T, topics *fakeTopics, change func(*Config, *vendors.LaneConfig)) *outage {
	t.Helper()
	o := &outage{vendor: &fakeVendor{delay: 50 * time.Millisecond}}
	o.out = time.Now().Add(10 * time.Second)
	o.back = o.out.Add(time.Minute)
	o.vendor.answer = func(_ vendors.Call, _ int) (vendors.Verdict, error) {
		if now := time.Now(); now.After(o.out) && now.Before(o.back) {
			return vendors.Verdict{}, errOut
		}
		return vendors.Verdict{Outcome: event.Approved}, nil
	}
	time.AfterFunc(time.Until(o.out), func() { o.vendor.set(func() { o.vendor.check = errOut }) })
	time.AfterFunc(time.Until(o.back), func() { o.vendor.set(func() { o.vendor.check = nil }) })
	for id := range 3 {
		w := join(t, topics, o.vendor, func(c *Config, l *vendors.LaneConfig) {
			c.MaxOpen, c.MaxBacklog = 5000, 64<<20
			c.Retry.Max = time.Second
			l.Windows = perSecond(60)
			l.Breaker = vendors.BreakerConfig{Ratio: .5, MinCalls: 20, Window: 30 * time.Second, SlowCall: 20 * time.Second, Open: 15 * time.Second, Probes: 1}
			if change != nil {
				change(c, l)
			}
		})
		w.assign([]int{id}, nil, nil)
		o.replicas = append(o.replicas, w)
	}
	for i := range 9000 {
		o.replicas[0].send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
	}
	for end := time.Now().Add(110 * time.Second); time.Now().Before(end); settle(10 * time.Millisecond) {
		open := 0
		for _, w := range o.replicas {
			if w.lines[event.Argos].lane.BreakerState() != vendors.BreakerClosed {
				open++
			}
		}
		switch {
		case open > 0 && o.opened.IsZero():
			o.opened = time.Now()
		case open > 0:
			o.closed = time.Time{}
		case o.closed.IsZero() && !o.opened.IsZero():
			o.closed = time.Now()
		}
	}
	for _, w := range o.replicas {
		if err := w.shut(); err != nil {
			t.Error(err)
		}
	}
	return o
}

// hits returns how many calls were made between two times.
func (o *outage) hits(from, to time.Time) (n int) {
	for _, at := range o.vendor.times {
		if at.After(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// fullRate returns how long after a time the group makes a second's worth of calls
// within the second that follows.
func (o *outage) fullRate(from time.Time) time.Duration {
	for d := time.Duration(0); d < 30*time.Second; d += 50 * time.Millisecond {
		if o.hits(from.Add(d), from.Add(d+time.Second)) >= 57 {
			return d
		}
	}
	return 30 * time.Second
}

func TestAGroupProbesAVendorThatIsOutAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := suffer(t, newFakeTopics(), nil)
		first := o.vendor.times[0]
		for _, at := range o.vendor.times {
			if at.After(o.back) {
				first = at
				break
			}
		}
		hits, full := o.hits(o.opened, o.back), o.fullRate(o.back)
		t.Logf("%d calls of the outage before the first breaker opened, %d after; first call %v after the recovery, full rate %v after it, all closed %v after it",
			o.hits(o.out, o.opened), hits, first.Sub(o.back), full, o.closed.Sub(o.back))
		// Four periods of 15 s, a probe each, and what was under way.
		if hits > 4+1 {
			t.Errorf("%d calls were made to a vendor that was known to be out", hits)
		}
		if full > 2*time.Second {
			t.Errorf("full rate was reached %v after the recovery", full)
		}
	})
}

func TestWithoutSignalsEachBreakerWorksAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := newFakeTopics()
		topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "signals" {
				return errors.New("no leader")
			}
			return nil
		}
		o := suffer(t, topics, nil)
		hits := o.hits(o.opened, o.back)
		t.Logf("%d calls before the first breaker opened, %d after; all closed %v after the recovery", o.hits(o.out, o.opened), hits, o.closed.Sub(o.back))
		if hits == 0 || hits > 80 {
			t.Errorf("%d calls of the outage", hits)
		}
		if o.closed.IsZero() || o.closed.Sub(o.back) > 20*time.Second {
			t.Errorf("all were closed %v after the recovery", o.closed.Sub(o.back))
		}
	})
}
