package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

// TestParkedBeforeANight: a group that works by day finds in the morning what it parked
// the day before: the night is shorter than the window, but both together are longer.
func TestParkedBeforeANight(t *testing.T) {
	for _, hours := range [][2]int{{5, 23}, {11, 18}, {30, 18}} {
		day, night := time.Duration(hours[0])*time.Hour, time.Duration(hours[1])*time.Hour
		t.Run(fmt.Sprint(day, " and ", night), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topics, v := newFakeTopics(), &fakeVendor{}
				w := join(t, topics, v, nil)
				w.assign([]int{0, 1, 2}, nil, nil)
				settle(10 * time.Second)
				topics.give(orderOf(ledger.Pause, "camp-1", 0))
				settle(time.Second)
				n := 0
				send := func(change ...func(*event.Request)) {
					w.send(n%3, fmt.Sprint("r-", n), fmt.Sprint("sub-", n), change...)
					n++
				}
				for range 12 {
					send(ofCamp("camp-1"))
				}
				for range 2 { // days
					for end := time.Now().Add(day); time.Now().Before(end); settle(20 * time.Minute) {
						send()
						send()
						send()
					}
					w.commit()
					w.kill()
					time.Sleep(night)
					w = join(t, topics, v, nil)
					w.assign([]int{0, 1, 2}, nil, nil)
				}
				settle(time.Minute)
				wantCallsByNow(t, w, n-12) // the order outlived the nights, too
				topics.give(orderOf(ledger.Resume, "camp-1", 0))
				settle(2 * time.Hour)
				wantOncePerRequest(t, w, n)
				wantCalls(t, w, 1)
				w.shut()
			})
		})
	}
}

// TestInDoubtForLongerThanTheWindow: a vendor that is out cannot say what became of the
// calls of a replica that died; meanwhile their claims leave the window.
func TestInDoubtForLongerThanTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := findingVendor{&fakeVendor{delay: 300 * time.Millisecond}}
		a, b := pair(t, v, nil)
		for i := range 6 {
			a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		time.Sleep(handoverDelay + 200*time.Millisecond)
		wantCallsByNow(t, a, 6)
		a.commit()
		a.kill()
		v.set(func() {
			v.deaf = transient()
			v.answer = func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, transient() }
		})
		b.assign([]int{0, 1, 2}, nil, nil)
		for i := range 30 {
			settle(time.Hour)
			b.send(i%3, fmt.Sprint("other-", i), fmt.Sprint("other-", i))
		}
		b.commit()
		b.kill()
		v.set(func() { v.deaf, v.answer = nil, nil })
		c := join(t, b.topics, v, nil)
		c.assign([]int{0, 1, 2}, nil, nil)
		settle(3 * time.Hour)
		calls := map[string]int{}
		for _, subject := range v.called() {
			calls[subject]++
		}
		for i := range 6 {
			if subject := fmt.Sprint("sub-", i); calls[subject] != 1 {
				t.Errorf("%d calls for %s", calls[subject], subject)
			}
		}
		for _, r := range c.results() {
			if r.SubmissionID < "sub-" || r.Calls == 1 {
				continue
			}
			t.Errorf("%s took %d calls", r.RequestID, r.Calls)
		}
		c.shut()
	})
}

// TestClaimedAndPausedForLongerThanTheWindow: requests that live in the ledger are at the
// vendor again when its account runs out of credit, and stay claimed until it is paid.
func TestClaimedAndPausedForLongerThanTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{delay: 5 * time.Second}
		noCredit := &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.LaneFault, Status: 402}
		v.answer = func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth <= 12 {
				return vendors.Verdict{}, transient()
			}
			v.set(func() { v.check = noCredit })
			return vendors.Verdict{}, noCredit
		}
		a, b := pair(t, v, func(c *Config, l *vendors.LaneConfig) { l.Breaker.Ratio, c.Retry.Budget = 1.1, 100 })
		for i := range 12 {
			a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		for hour := range 30 {
			settle(time.Hour)
			for shard := range 3 { // the group works on
				id := fmt.Sprintf("over-%d-%d", hour, shard)
				a.send(shard, id, id, func(r *event.Request) { r.NotAfter = time.Now().Add(-time.Second) })
			}
		}
		wantCallsByNow(t, a, 24)
		a.commit()
		a.kill()
		v.set(func() { v.answer, v.check = nil, nil })
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(3 * time.Hour)
		wantOncePerRequest(t, b, 12+90)
		b.shut()
	})
}
