package vendors

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
)

// callAs makes one call for a request, waiting for its permit.
func callAs(t *testing.T, l *Lane, request string) error {
	t.Helper()
	p, err := l.ReserveFor(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Call(t.Context(), p, Call{RequestID: request}, may)
	return err
}

// kindIs tells whether err is a fault of the kind.
func kindIs(err error, k Kind) bool {
	fault, ok := errors.AsType[*Error](err)
	return ok && fault.Kind == k
}

// A gateway that breaks must not have the requests given up one by one.
func TestUnexplainedAnswersInARowPauseTheLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		a := &fakeAdapter{answer: func(int) error {
			if mended.Load() {
				return nil
			}
			return &Error{Vendor: event.Argos, Kind: Unexplained, Op: "authenticate", Status: 410}
		}}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		for n := range unexplainedInARow - 1 {
			if err := callAs(t, l, fmt.Sprint("r", n)); !kindIs(err, Unexplained) || l.Fault() != nil {
				t.Fatalf("request %d: %v, lane paused for %v", n, err, l.Fault())
			}
		}
		for n := range 3 { // the last of the row, and probes
			err := callAs(t, l, fmt.Sprint("kept", n))
			if !kindIs(err, LaneFault) || l.Fault() == nil || !strings.Contains(l.Fault().Error(), "HTTP 410: requests in a row") {
				t.Fatalf("kept %d: %v, lane paused for %v", n, err, l.Fault())
			}
		}
		mended.Store(true)
		start := time.Now()
		if err := callAs(t, l, "r9"); err != nil || l.Fault() != nil {
			t.Errorf("the vendor is back: %v, lane paused for %v", err, l.Fault())
		}
		if waited := time.Since(start); waited > 15*time.Second {
			t.Errorf("the probe came after %v", waited)
		}
		mended.Store(false)
		if err := callAs(t, l, "r10"); !kindIs(err, Unexplained) {
			t.Errorf("after a success: %v, want a row of its own", err)
		}
	})
}

// One request that is odd by itself is given up alone, however often it is tried.
func TestUnexplainedAnswersToOneRequestDoNotPauseTheLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{answer: func(int) error { return fault(Unexplained) }}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		for range 50 {
			if err := callAs(t, l, "odd"); !kindIs(err, Unexplained) || l.Fault() != nil || l.BreakerState() != BreakerClosed {
				t.Fatalf("%v, lane paused for %v, breaker %v", err, l.Fault(), l.BreakerState())
			}
		}
	})
}

// Verdicts and refusals in the vendor's own words show that the path works.
func TestUnexplainedAnswersAmongOthersDoNotPauseTheLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{answer: func(n int) error {
			switch {
			case n%10 == 0:
				return nil
			case n%5 == 0:
				return fault(Refused)
			}
			return fault(Unexplained)
		}}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		for n := range 100 {
			if err := callAs(t, l, fmt.Sprint("r", n)); kindIs(err, LaneFault) || l.Fault() != nil {
				t.Fatalf("call %d: %v, lane paused for %v", n, err, l.Fault())
			}
		}
	})
}

// What may have been charged is found out, also while the lane is paused for it.
func TestUnexplainedAnswerThatMayBeChargedKeepsItsUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fakeAdapter{answer: func(int) error { return &Error{Vendor: event.Argos, Kind: Unexplained, Unknown: true} }}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		for n := range unexplainedInARow + 2 {
			if fault, ok := errors.AsType[*Error](callAs(t, l, fmt.Sprint("r", n))); !ok || !fault.Unknown {
				t.Errorf("request %d: %v", n, fault)
			}
		}
		if l.Fault() == nil {
			t.Error("the lane is not paused")
		}
	})
}
