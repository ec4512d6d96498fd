package vendors

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// One selfie that a firewall does not let through, or one person of whom the vendor
// has seen enough, must not stop the lane for all others time and again.
func TestRequestAtFaultAloneIsGivenUpAlone(t *testing.T) {
	for _, kind := range []Kind{LaneFault, Throttled} {
		t.Run(kind.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				odd := true
				a := &fakeAdapter{answer: func(int) error {
					if odd {
						return fault(kind)
					}
					return nil
				}}
				l := NewLane(a, config())
				l.SetShards([]int{0}, 1)
				for n := range aloneAfter + 10 {
					odd = true
					want := kind
					if n >= aloneAfter {
						want = Unexplained
					}
					if err := callAs(t, l, "odd"); !kindIs(err, want) || want == Unexplained && l.Fault() != nil {
						t.Fatalf("answer %d: %v, lane paused for %v; want %v", n, err, l.Fault(), want)
					}
					odd = false
					if err := callAs(t, l, fmt.Sprint("r", n)); err != nil {
						t.Fatal(err)
					}
				}
				if err := callAs(t, l, "odd"); err != nil {
					t.Fatal(err)
				}
				odd = true
				if err := callAs(t, l, "odd"); !kindIs(err, kind) {
					t.Errorf("after a call that went well: %v, want %v", err, kind)
				}
			})
		})
	}
}

// While no other call goes well, what a request is answered says nothing about it.
func TestRequestsOfALaneAtFaultAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		a := &fakeAdapter{answer: func(int) error {
			if broken {
				return fault(LaneFault)
			}
			return nil
		}}
		l := NewLane(a, config())
		l.SetShards([]int{0}, 1)
		for n := range 100 {
			if err := callAs(t, l, fmt.Sprint("r", n%4)); !kindIs(err, LaneFault) || l.Fault() == nil {
				t.Fatalf("call %d: %v, lane paused for %v", n, err, l.Fault())
			}
			if n%20 == 19 { // it works for a moment, four times in between
				broken = false
				if err := callAs(t, l, "good"); err != nil {
					t.Fatal(err)
				}
				broken = true
			}
		}
	})
}

func TestCallThatBeganBeforeAFaultDoesNotShowThatItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s suspects
		for n := range 10 * aloneAfter {
			underWay := time.Now()
			time.Sleep(time.Second)
			if err := s.judge("kept", time.Now(), fault(LaneFault)); !kindIs(err, LaneFault) {
				t.Fatalf("answer %d: %v", n, err)
			}
			if err := s.judge("other", underWay, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSuspectsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s suspects
		for n := range 2 * mostSuspects {
			time.Sleep(time.Millisecond)
			_ = s.judge(fmt.Sprint("r", n), time.Now(), fault(LaneFault))
		}
		if _, ok := s.answers[fmt.Sprint("r", mostSuspects)]; len(s.answers) != mostSuspects || !ok {
			t.Errorf("%d requests are remembered, not the latest %d", len(s.answers), mostSuspects)
		}
	})
}
