package pipeline

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// TestAsManyWaitToAskAsCanBeAskedNext: each that waits is a goroutine, and after an
// outage there may be any number in doubt.
func TestAsManyWaitToAskAsCanBeAskedNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), findingVendor{&fakeVendor{listing: time.Minute}}, nil)
		w.assign([]int{0}, nil, nil)
		settle(time.Second)
		inquiry := w.lines[event.Argos].inquiry
		var told, refused atomic.Int64
		for i := range 1 + maxQuestions + 500 {
			go func() {
				_, err := inquiry.ask(t.Context(), vendors.Call{SubmissionID: fmt.Sprint("sub-", i)}, time.Now())
				switch {
				case err == nil:
					told.Add(1)
				case errors.Is(err, errManyAsk):
					refused.Add(1)
				}
			}()
		}
		settle(time.Hour)
		if told.Load() != 1+maxQuestions || refused.Load() != 500 {
			t.Errorf("%d were told, %d were sent away", told.Load(), refused.Load())
		}
		w.shut()
	})
}

// TestFewWaitUntilTheirPagesAreASmallPartOfAllRequests: each page takes the place of
// a call. At 10 requests a second, less the headroom, a page is 2 % of 5.1 seconds.
func TestFewWaitUntilTheirPagesAreASmallPartOfAllRequests(t *testing.T) {
	for name, c := range map[string]struct {
		limits    []vendors.Window
		questions int
		from, to  time.Duration
	}{
		"few":                     {perSecond(10), worthAPage - 1, 5 * time.Second, 6 * time.Second},
		"few, at a low limit":     {perSecond(1), worthAPage - 1, maxPause, maxPause + 3*time.Second},
		"few, without a limit":    {nil, worthAPage - 1, 0, 0},
		"as many as are worth it": {perSecond(10), worthAPage, 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := join(t, newFakeTopics(), findingVendor{&fakeVendor{}}, func(_ *Config, l *vendors.LaneConfig) { l.Windows = c.limits })
				w.assign([]int{0, 1, 2}, nil, nil)
				settle(time.Second)
				inquiry := w.lines[event.Argos].inquiry
				ask := func() {
					if _, err := inquiry.ask(t.Context(), vendors.Call{SubmissionID: "sub"}, time.Now()); err != nil {
						t.Error(err)
					}
				}
				ask()
				first := time.Now()
				var asking sync.WaitGroup
				for range c.questions {
					asking.Go(ask)
				}
				asking.Wait()
				if took := time.Since(first); took < c.from || took > c.to {
					t.Errorf("the next %d questions were answered after %v, want %v to %v", c.questions, took, c.from, c.to)
				}
				w.shut()
			})
		})
	}
}
