package pipeline

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/stream"
	"reauth/internal/vendors"
)

// leave returns when a call has left over a connection that took v.connect to open.
func (v *fakeVendor) leave(ctx context.Context) error {
	if v.connect == nil {
		return nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://vendor", vendors.NewBody([]byte("x"), nil, nil))
	if err != nil {
		return err
	}
	if a, err := vendors.Exchange(&http.Client{Transport: connecting(v.connect)}, r, 0); err != nil {
		return vendors.Unsent(event.Argos, "authenticate", a.Reached, err)
	}
	return nil
}

// connecting is a transport that has to connect for each request.
type connecting func() time.Duration

func (takes connecting) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(takes())
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GotConn(httptrace.GotConnInfo{})
	if _, err := io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	trace.WroteHeaders()
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// A call that is late for its slot takes another only while the slots are surely ours.
func TestCallThatConnectsLateDoesNotLeaveOnceTheShardsMayHaveGone(t *testing.T) {
	for name, end := range map[string]func(*world){
		"nothing is heard of the group": func(w *world) { w.Sustain(time.Now().Add(time.Second)) },
		"a generation has ended":        func(w *world) { w.Suspend(time.Now().Add(time.Second), stream.ErrRebalance) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := setup(t, nil)
				w.vendor.connect = func() time.Duration { return 3 * time.Second }
				settle(time.Second)
				w.send(0, "r", "sub")
				settle(100 * time.Millisecond)
				end(w)
				settle(time.Minute)
				if n := len(w.vendor.called()); n != 0 {
					t.Errorf("%d calls left when the shards may have gone", n)
				}
				w.assign(nil, []int{0, 1, 2}, nil)
				settle(time.Minute)
				if calls, results := len(w.vendor.called()), len(w.results()); calls != 1 || results != 1 {
					t.Errorf("%d calls and %d results in the next generation", calls, results)
				}
				w.shut()
			})
		})
	}
}

// A new owner knows by the claims when the calls of the former one left, also of those
// that had to connect.
func TestLongerLimitHoldsOverATakeoverOfCallsThatConnectedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		vendor := &fakeVendor{connect: func() time.Duration {
			if time.Since(begin) < 7*time.Second {
				return 7 * time.Second
			}
			return 0
		}}
		first := join(t, newFakeTopics(), vendor, func(c *Config, l *vendors.LaneConfig) {
			counting(c, l)
			l.MaxInFlight = 400
		})
		first.sendMany(3, 300)
		first.assign([]int{0, 1, 2}, nil, nil)
		settle(40 * time.Second)
		first.commit()
		first.kill()
		second := join(t, first.topics, vendor, counting)
		second.assign([]int{0, 1, 2}, nil, nil)
		settle(5 * time.Minute)
		if n := vendor.within(time.Minute); n > 300 {
			t.Errorf("%d calls within a minute", n)
		}
		if n := len(second.results()); n != 900 {
			t.Errorf("%d results", n)
		}
		if err := second.shut(); err != nil {
			t.Error(err)
		}
	})
}
