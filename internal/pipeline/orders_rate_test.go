package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

func TestVendorIsCalledNoFasterThanOrdered(t *testing.T) {
	for _, limit := range []float64{100, 0} {
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topics, v := newFakeTopics(), &fakeVendor{}
				change := func(c *Config, l *vendors.LaneConfig) { c.MaxOpen, l.Windows = 5000, perSecond(int(limit)) }
				a, b := join(t, topics, v, change), join(t, topics, v, change)
				topics.give(orderOf(ledger.Rate, "", 20))
				a.assign([]int{0}, nil, nil)
				b.assign([]int{1, 2}, nil, nil)
				settle(time.Second)
				for i := range 3000 {
					a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				settle(10 * time.Second)
				if n := len(v.called()); n < 150 || n > 200 {
					t.Errorf("%d calls in ten seconds at 20/s", n)
				}
				wantNoSecondOver(t, v, 20)
				topics.give(orderOf(ledger.Rate, "", 50))
				settle(10 * time.Second)
				wantNoSecondOver(t, v, 50)
				topics.give(orderOf(ledger.Rate, "", 0))
				before := len(v.called())
				settle(10 * time.Second)
				if n := len(v.called()) - before; n < 750 {
					t.Errorf("%d calls in ten seconds after the order was taken back", n)
				}
				if limit > 0 {
					wantNoSecondOver(t, v, int(limit))
				}
				topics.give(orderOf(ledger.Rate, "", 1000))
				settle(30 * time.Second)
				if limit > 0 {
					wantNoSecondOver(t, v, int(limit))
				}
				wantOncePerRequest(t, a, 3000)
				a.shut()
				b.shut()
			})
		})
	}
}

// A limit is changed under an order (deploy/kubernetes/README.md): those that come with
// the new one keep it from their first call on, whether it is lower or higher.
func TestLimitIsChangedUnderAnOrderOfTheSmaller(t *testing.T) {
	for _, limits := range [][2]int{{50, 100}, {100, 50}} {
		t.Run(fmt.Sprint(limits), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topics, v := newFakeTopics(), &fakeVendor{}
				with := func(limit int) func(*Config, *vendors.LaneConfig) {
					return func(c *Config, l *vendors.LaneConfig) { c.MaxOpen, l.Windows = 5000, perSecond(limit) }
				}
				old := join(t, topics, v, with(limits[0]))
				for i := range 6000 {
					old.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				topics.give(orderOf(ledger.Rate, "", 50))
				settle(3 * time.Second)
				old.assign([]int{0, 1, 2}, nil, nil)
				settle(10 * time.Second)
				fresh := join(t, topics, v, with(limits[1]))
				old.commit()
				old.assign(nil, []int{0, 1}, []int{2})
				fresh.assign([]int{2}, nil, nil)
				settle(10 * time.Second)
				old.commit()
				old.assign(nil, []int{1}, []int{0})
				fresh.assign([]int{0}, []int{2}, nil)
				settle(10 * time.Second)
				if n := len(v.called()); n < 1200 {
					t.Errorf("%d calls in half a minute at 50/s", n)
				}
				old.commit()
				old.assign(nil, nil, []int{1})
				fresh.assign([]int{1}, []int{0, 2}, nil)
				old.shut()
				settle(10 * time.Second)
				wantNoSecondOver(t, v, 50)
				topics.give(orderOf(ledger.Rate, "", 0))
				settle(10 * time.Second)
				wantNoSecondOver(t, v, limits[1])
				fresh.shut()
			})
		})
	}
}

// Slots of two paces don't follow each other evenly.
func TestOrdersAboutTheRateNeverLeadOverTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, func(_ *Config, l *vendors.LaneConfig) { l.Windows = perSecond(2) })
		for i := range 200 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		for i := range 60 {
			w.topics.give(orderOf(ledger.Rate, "", []float64{1.5, 0, .7}[i%3]))
			settle(3700 * time.Millisecond)
		}
		if n := len(w.vendor.called()); n < 80 {
			t.Errorf("%d calls in 222 s", n)
		}
		wantNoSecondOver(t, w.vendor, 2)
		w.shut()
	})
}

// wantNoSecondOver checks that no sliding second holds more calls.
func wantNoSecondOver(t *testing.T, v *fakeVendor, most int) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range v.times {
		if j := i + most; j < len(v.times) && v.times[j].Sub(v.times[i]) < time.Second {
			t.Errorf("more than %d calls within %s", most, v.times[j].Sub(v.times[i]))
			return
		}
	}
}
