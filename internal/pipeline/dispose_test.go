package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// disposals are what a store was asked to do after verdicts.
type disposals struct {
	mu     sync.Mutex
	refs   []storage.Ref
	fault  error
	result storage.Result
}

// of has a world ask for its disposals here.
func (d *disposals) of(w *world) { w.parts.Dispose, w.parts.DisposeUnsure = d.dispose, d.disposeUnsure }

// unsureOf stands for the version of what was disposed of without knowing it.
const unsureOf = "unsure"

func (d *disposals) disposeUnsure(ctx context.Context, ref storage.Ref, outcome event.Outcome) (storage.Disposal, error) {
	ref.Version += unsureOf
	return d.dispose(ctx, ref, outcome)
}

func (d *disposals) dispose(_ context.Context, ref storage.Ref, outcome event.Outcome) (storage.Disposal, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refs = append(d.refs, ref)
	return storage.Disposal{Result: d.result}, d.fault
}

func (d *disposals) asked() []storage.Ref {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]storage.Ref(nil), d.refs...)
}

func TestSelfieIsDisposedOfOnceItsResultIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disposals
		w := setup(t, nil)
		w.parts.Dispose = func(ctx context.Context, ref storage.Ref, outcome event.Outcome) (storage.Disposal, error) {
			if len(w.results()) == 0 {
				t.Error("the selfie went before the result was out")
			}
			if outcome != event.Approved {
				t.Errorf("outcome %s", outcome)
			}
			return d.dispose(ctx, ref, outcome)
		}
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		if refs := d.asked(); len(refs) != 1 || refs[0].Key != "selfies/r-1.jpg" || refs[0].Version != "v-7" {
			t.Errorf("disposed of %+v, want the version that was read", refs)
		}
		if n := w.next(0); n != 1 {
			t.Errorf("next is %d", n)
		}
		w.shut()
	})
}

func TestSelfieIsDisposedOfByTheNextOwnerIfNeedBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		var d disposals
		reached := make(chan struct{})
		a.parts.Dispose = func(context.Context, storage.Ref, event.Outcome) (storage.Disposal, error) {
			close(reached)
			<-a.take.Done()
			return storage.Disposal{}, errors.New("dead")
		}
		b.parts.Dispose = d.dispose
		a.send(0, "r-1", "sub-1")
		<-reached
		a.commit()
		a.kill()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Hour)
		wantOncePerRequest(t, b, 1)
		if refs := d.asked(); len(refs) != 1 || refs[0].Version != "v-7" {
			t.Errorf("the next owner disposed of %+v", refs)
		}
		b.shut()
	})
}

func TestDisposalThatFailsHoldsUpNobody(t *testing.T) {
	for name, c := range map[string]struct {
		fault error
		tries int
	}{
		"passes":    {&storage.Error{Kind: storage.Throttled}, disposeTries},
		"forbidden": {&storage.Error{Kind: storage.Fault}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := disposals{fault: c.fault}
				w := setup(t, nil)
				w.parts.Dispose = d.dispose
				w.send(0, "r-1", "sub-1")
				settle(5 * time.Minute)
				if n := len(d.asked()); n != c.tries || w.next(0) != 1 {
					t.Errorf("%d tries, next %d", n, w.next(0))
				}
				if n := testutil.ToFloat64(w.metrics.undisposed); n != 1 {
					t.Errorf("%v selfies counted as left", n)
				}
				if err := w.StoreFault(); err != nil {
					t.Errorf("fetching is paused: %v", err)
				}
				w.shut()
			})
		})
	}
}

// A store that has lost its write quorum still reads.
func TestStoreThatTakesNoDisposalsCostsNoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := disposals{fault: &storage.Error{Kind: storage.Throttled}}
		w := setup(t, func(c *Config, l *vendors.LaneConfig) {
			c.MaxOpen, l.Windows = 1000, perSecond(50)
		})
		w.parts.Dispose = d.dispose
		for i := range 2000 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(30 * time.Second)
		if n := len(w.vendor.called()); n < 1400 {
			t.Errorf("%d calls in 30 s at 50/s", n)
		}
		settle(time.Minute)
		wantOncePerRequest(t, w, 2000)
		if n := testutil.ToFloat64(w.metrics.undisposed); n != 2000 || len(d.asked()) != 2000*disposeTries {
			t.Errorf("%v selfies counted as left after %d tries", n, len(d.asked()))
		}
		for shard := range 3 {
			if n := w.next(shard); n < 666 {
				t.Errorf("next of shard %d is %d", shard, n)
			}
		}
		w.shut()
	})
}
