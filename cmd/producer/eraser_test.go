package main

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/vendors"
)

// scriptedVendor erases, with errors in the order given.
type scriptedVendor struct {
	vendors.Adapter
	errs  []error
	asked []time.Time
}

func (v *scriptedVendor) Erase(ctx context.Context, _ string) error {
	v.asked = append(v.asked, time.Now())
	if _, ok := ctx.Deadline(); !ok {
		return errors.New("no deadline")
	}
	if len(v.errs) == 0 {
		return nil
	}
	err := v.errs[0]
	v.errs = v.errs[1:]
	return err
}

// eraseAt erases so many authentications at a rate and returns how long after the
// start the vendor was asked.
func eraseAt(t *testing.T, rate config.Rate, references int, v *scriptedVendor) (after []time.Duration, proofs *proofWriter) {
	t.Helper()
	e := eraser{
		adapters: map[event.Vendor]vendors.Adapter{event.Argos: v},
		timeouts: map[event.Vendor]time.Duration{event.Argos: time.Second},
		broken:   map[event.Vendor]error{},
		pace:     pacer{rate: rate}, proofs: newProofWriter(io.Discard),
	}
	found := &trace{requestID: "r1", vendor: event.Argos, outcome: event.Approved}
	for i := range references {
		found.refer(string(rune('a' + i)))
	}
	start := time.Now()
	if err := e.all(t.Context(), []*trace{found}, nil); err != nil {
		t.Fatal(err)
	}
	for _, at := range v.asked {
		after = append(after, at.Sub(start))
	}
	return after, e.proofs
}

func TestVendorsAreAskedAtTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after, proofs := eraseAt(t, config.Rate{Count: 2, Per: time.Second}, 5, &scriptedVendor{})
		for i, at := range after {
			if want := time.Duration(i) * time.Second / 2; at != want {
				t.Errorf("call %d after %s, want %s", i, at, want)
			}
		}
		if proofs.outcomes[outcomeErased] != 5 || proofs.left() != 0 {
			t.Errorf("outcomes are %v", proofs.outcomes)
		}
	})
}

func TestErrorsThatPassAreTriedAgain(t *testing.T) {
	of := func(kind vendors.Kind, retryAfter time.Duration) error {
		return &vendors.Error{Vendor: event.Argos, Kind: kind, RetryAfter: retryAfter}
	}
	for name, tt := range map[string]struct {
		errs    []error
		asked   []time.Duration
		outcome outcome
	}{
		"transient":     {[]error{of(vendors.Transient, 0), of(vendors.Transient, 0)}, []time.Duration{0, time.Second, 3 * time.Second}, outcomeErased},
		"throttled":     {[]error{of(vendors.Throttled, 30*time.Second)}, []time.Duration{0, 30 * time.Second}, outcomeErased},
		"throttled far": {[]error{of(vendors.Throttled, time.Hour)}, []time.Duration{0, time.Minute}, outcomeErased},
		"too often": {[]error{of(vendors.Transient, 0), of(vendors.Transient, 0), of(vendors.Transient, 0)},
			[]time.Duration{0, time.Second, 3 * time.Second}, outcomeFailed},
		"refused": {[]error{of(vendors.Refused, 0)}, []time.Duration{0}, outcomeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				after, proofs := eraseAt(t, config.Rate{Count: 1, Per: time.Millisecond}, 1, &scriptedVendor{errs: tt.errs})
				if len(after) != len(tt.asked) {
					t.Fatalf("asked after %v, want %v", after, tt.asked)
				}
				for i, want := range tt.asked {
					if off := after[i] - want; off < 0 || off > 10*time.Millisecond {
						t.Errorf("call %d after %s, want %s", i, after[i], want)
					}
				}
				if proofs.outcomes[tt.outcome] != 1 || proofs.written != 1 {
					t.Errorf("outcomes are %v", proofs.outcomes)
				}
			})
		})
	}
}
