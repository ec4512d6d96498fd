package pipeline

import (
	"errors"
	"fmt"
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
