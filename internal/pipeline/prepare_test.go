package pipeline

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// preparingVendor needs something before a call, which fails at first.
type preparingVendor struct {
	*fakeVendor
	failures int
}

func (v *preparingVendor) Prepare(context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.failures--; v.failures >= 0 {
		return &vendors.Error{Vendor: event.Argos, Op: "token", Kind: vendors.LaneFault, Status: 401}
	}
	return nil
}

func TestCallThatCouldNotBePreparedIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &preparingVendor{&fakeVendor{delay: time.Second}, 2}
		w := join(t, newFakeTopics(), v, nil)
		w.assign([]int{0}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(10 * time.Minute)
		wantOncePerRequest(t, w, 1)
		if r := w.results()[0]; len(v.called()) != 1 || r.Calls != 1 || r.Attempts != 1 || r.TimingsMS.Vendor != 1000 {
			t.Errorf("%d calls, result %+v", len(v.called()), r)
		}
		w.shut()
	})
}
