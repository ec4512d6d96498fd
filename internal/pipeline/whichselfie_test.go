package pipeline

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// wantJudged holds a request's only result, and what is done about selfies after it, to
// the selfie that was current when the call was made.
func wantJudged(t *testing.T, w *world, d *disposals, outcome event.Outcome) {
	t.Helper()
	wantOncePerRequest(t, w, 1)
	if r := w.results()[0]; r.Outcome != outcome || r.SelfieSHA256 != fmt.Sprintf("%064d", 7) || r.SelfieBytes != 4 {
		t.Errorf("result is %s, of a selfie of %d bytes with the digest %q", r.Outcome, r.SelfieBytes, r.SelfieSHA256)
	}
	want := []storage.Ref{{Key: "selfies/r-1.jpg", Version: "v-7"}}
	if got := d.asked(); !cmp.Equal(got, want) {
		t.Errorf("disposed of %#v with the versions %v", got, versions(got))
	}
}

func versions(refs []storage.Ref) (all []string) {
	for _, r := range refs {
		all = append(all, r.Version)
	}
	return all
}

// A later selfie is at the key when the verdict is found.
func TestVerdictThatIsFoundIsOfTheSelfieOfItsCall(t *testing.T) {
	later := fakeSelfie{later: 1}
	t.Run("by whoever made the call", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var d disposals
			v := &fakeVendor{answer: func(vendors.Call, int) (vendors.Verdict, error) { return vendors.Verdict{}, lost() }}
			w := join(t, newFakeTopics(), findingVendor{v}, nil)
			d.of(w)
			w.selfie = func(storage.Ref) error {
				if len(v.called()) > 0 {
					w.latest = later
				}
				return nil
			}
			w.assign([]int{0}, nil, nil)
			w.send(0, "r-1", "sub-1")
			settle(10 * time.Minute)
			wantJudged(t, w, &d, event.Approved)
			w.shut()
		})
	})
	t.Run("by the next owner", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var d disposals
			a, b := pair(t, findingVendor{&fakeVendor{delay: time.Minute}}, nil)
			b.latest = later
			d.of(b)
			a.send(0, "r-1", "sub-1")
			settle(5 * time.Second)
			a.commit()
			a.kill()
			b.assign([]int{0, 1, 2}, nil, nil)
			settle(10 * time.Minute)
			wantJudged(t, b, &d, event.Approved)
			b.shut()
		})
	})
	for name, change := range map[string]func(*world){
		"by the owner after the next": func(*world) {},
		"after its campaign's pause": func(b *world) {
			b.obey(ledger.Order{ID: "o-1", Kind: ledger.Pause, Campaign: "c-1", IssuedAt: time.Now()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d disposals
				v := findingVendor{&fakeVendor{delay: time.Minute, deaf: transient()}}
				a, b := pair(t, v, nil)
				c := join(t, a.topics, v, nil)
				b.latest, c.latest = later, later
				d.of(c)
				a.send(0, "r-1", "sub-1", of("c-1"))
				settle(5 * time.Second)
				a.commit()
				a.kill()
				b.assign([]int{0, 1, 2}, nil, nil)
				change(b)
				settle(30 * time.Hour) // the claim leaves the window
				b.commit()
				b.kill()
				v.set(func() { v.deaf = nil })
				c.assign([]int{0, 1, 2}, nil, nil)
				c.obey(ledger.Order{ID: "o-2", Kind: ledger.Resume, Campaign: "c-1", IssuedAt: time.Now()})
				settle(3 * time.Hour)
				wantJudged(t, c, &d, event.Approved)
				c.shut()
			})
		})
	}
	t.Run("by nobody", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var d disposals
			a, b := pair(t, &fakeVendor{delay: time.Minute}, func(c *Config, _ *vendors.LaneConfig) { c.HoldUnknown = true })
			b.latest = later
			d.of(b)
			a.send(0, "r-1", "sub-1")
			settle(5 * time.Second)
			a.commit()
			a.kill()
			b.assign([]int{0, 1, 2}, nil, nil)
			settle(10 * time.Minute)
			wantJudged(t, b, &d, event.Failed)
			b.shut()
		})
	})
}

// What was found not to have been judged is judged anew, and is another selfie by then.
func TestRepeatedCallIsOfTheSelfieThatItTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disposals
		v := &fakeVendor{delay: time.Minute}
		a, b := pair(t, findingVendor{v}, nil)
		a.latest = fakeSelfie{later: 1}
		d.of(b)
		a.send(0, "r-1", "sub-1")
		settle(5 * time.Second)
		a.commit()
		a.kill()
		v.set(func() { v.kept, v.delay = nil, 0 })
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Minute)
		wantJudged(t, b, &d, event.Approved)
		b.shut()
	})
}

// lapse has the lease end between the first claim and its call.
func lapse(w *world) {
	lapsed := false
	w.topics.write = func(recs []event.Record) error {
		if r, err := ledger.Decode(recs[0].Value); err == nil && r.Step == ledger.Claimed && !lapsed {
			lapsed = true
			w.Suspend(time.Now().Add(time.Millisecond), context.Canceled) // the call's slot is later
			time.AfterFunc(time.Second, func() { w.assign(nil, []int{0}, nil) })
		}
		return nil
	}
}

// oneEachSecond has calls made well after their claims.
func oneEachSecond(_ *Config, l *vendors.LaneConfig) { l.Windows = perSecond(1) }

// A claim that is there already says nothing of a selfie that came after it.
func TestSelfieThatChangesAfterTheClaimIsClaimedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), &fakeVendor{}, oneEachSecond)
		fetched := 0
		w.selfie = func(storage.Ref) error {
			w.latest = fakeSelfie{later: byte(fetched)}
			fetched++
			return nil
		}
		lapse(w)
		w.assign([]int{0}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		var claims []string
		for _, rec := range w.topics.written("ledger") {
			if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Claimed {
				claims = append(claims, r.Selfie.Version)
			}
		}
		if want := []string{"v-7", "v-8"}; !cmp.Equal(claims, want) || fetched != 2 || len(w.vendor.called()) != 1 {
			t.Errorf("claims of %v after %d fetches and %d calls", claims, fetched, len(w.vendor.called()))
		}
		w.shut()
	})
}

// What is unusable is not what was fetched before it.
func TestUnusableSelfieIsNotTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disposals
		w := join(t, newFakeTopics(), &fakeVendor{}, oneEachSecond)
		d.of(w)
		fetched := 0
		w.selfie = func(storage.Ref) error {
			if fetched++; fetched > 1 {
				return &storage.Error{Kind: storage.Unusable, Reason: event.SelfieTooLarge, Version: "v-8"}
			}
			return nil
		}
		lapse(w)
		w.assign([]int{0}, nil, nil)
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		wantOncePerRequest(t, w, 1)
		if r := w.results()[0]; r.Outcome != event.Unusable || r.SelfieSHA256 != "" || r.SelfieBytes != 0 {
			t.Errorf("result %+v", r)
		}
		if got := versions(d.asked()); !cmp.Equal(got, []string{"v-8"}) {
			t.Errorf("disposed of the versions %q", got)
		}
		w.shut()
	})
}

// forgetful has claims written as by a version that does not name their selfies.
func forgetful(recs []event.Record) error {
	if r, err := ledger.Decode(recs[0].Value); err == nil && r.Step == ledger.Claimed {
		r.Selfie = ledger.Selfie{}
		recs[0].Value = r.Encode()
	}
	return nil
}

// The store decides what may be done about a selfie of which nobody knows the version.
func TestVerdictOfAnUnknownSelfieIsDisposedOfUnsurely(t *testing.T) {
	for name, c := range map[string]struct {
		result  storage.Result
		left    float64
		named   string // by the request
		version string
		hold    bool // the vendor cannot be asked
	}{
		"nothing is done":                  {storage.Left, 1, "", unsureOf, false},
		"it is deleted":                    {storage.Done, 0, "", unsureOf, false},
		"the request names what was meant": {storage.Done, 0, "v-5", "v-5", false},
		"nobody knows the verdict, either": {storage.Left, 1, "", unsureOf, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := disposals{result: c.result}
				var vendor vendors.Adapter = &fakeVendor{delay: time.Minute}
				if !c.hold {
					vendor = findingVendor{vendor.(*fakeVendor)}
				}
				a, b := pair(t, vendor, func(config *Config, _ *vendors.LaneConfig) { config.HoldUnknown = c.hold })
				d.of(b)
				a.topics.write = forgetful
				a.send(0, "r-1", "sub-1", func(r *event.Request) { r.SelfieVersion = c.named })
				settle(5 * time.Second)
				a.commit()
				a.kill()
				b.assign([]int{0, 1, 2}, nil, nil)
				settle(10 * time.Minute)
				wantOncePerRequest(t, b, 1)
				if r := b.results()[0]; r.SelfieSHA256 != "" || r.SelfieBytes != 0 {
					t.Errorf("result %+v of a selfie that nobody knows", r)
				}
				if got := versions(d.asked()); !cmp.Equal(got, []string{c.version}) {
					t.Errorf("disposed of the versions %q", got)
				}
				if n := testutil.ToFloat64(b.metrics.undisposed); n != c.left {
					t.Errorf("%v selfies counted as left", n)
				}
				b.shut()
			})
		})
	}
}

// Nothing was judged of a request that had no call, and a vendor that asks the person
// is sent no selfie: what the request names is what is meant.
func TestSelfieThatNobodyWasSentIsDisposedOf(t *testing.T) {
	for name, c := range map[string]struct {
		vendor vendors.Adapter
		change func(*event.Request)
	}{
		"expired": {&fakeVendor{}, func(r *event.Request) { r.NotAfter = time.Now().Add(-time.Second) }},
		"hosted":  {newHostedVendor(), func(*event.Request) {}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d disposals
				w := join(t, newFakeTopics(), c.vendor, nil)
				d.of(w)
				w.assign([]int{0}, nil, nil)
				w.send(0, "r-1", "sub-1", c.change)
				if v, ok := c.vendor.(*hostedVendor); ok {
					v.decide("fav_sub-1_1", event.Approved)
				}
				settle(3 * time.Hour)
				if got := d.asked(); len(got) != 1 || got[0].Version != "" || !strings.HasSuffix(got[0].Key, "r-1.jpg") {
					t.Errorf("disposed of %d selfies, of the versions %q", len(got), versions(got))
				}
				w.shut()
			})
		})
	}
}
