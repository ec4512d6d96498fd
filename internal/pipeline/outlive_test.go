package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// TestParkedBeforeANight: a group that works by day finds in the morning what it parked
// the day before: the night is shorter than the window, but both together are longer.
func TestParkedBeforeANight(t *testing.T) {
	for _, hours := range [][2]int{{1, 23}, {5, 18}, {5, 23}, {11, 13}, {11, 18}, {11, 23}, {30, 18}} {
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
