package vendors

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
)

func TestPanicOfAnAdapterEndsAsAnErrorOfOneCall(t *testing.T) {
	seven := 7 // the compiler would refuse a constant
	for name, c := range map[string]struct {
		panics func() error
		logged string
	}{
		"of the runtime":  {func() error { return []error{nil}[seven] }, "index out of range [7] with length 1"},
		"with a text":     {func() error { panic("Ada Lovelace, 1815-12-10") }, "a string"},
		"with a byte row": {func() error { panic([]byte("P1234567")) }, "a []uint8"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				cfg := config()
				cfg.MaxInFlight, cfg.Logger = 1, slog.New(slog.NewTextHandler(&log, nil))
				broken := true
				answer := func() error {
					if broken {
						return c.panics()
					}
					return nil
				}
				l := NewLane(&fakeAdapter{answer: func(int) error { return answer() }, check: answer}, cfg)
				l.SetShards([]int{0}, 1)
				calls := map[string]func() error{
					"call": func() error { return callAs(t, l, "odd") },
					"turn": func() error { return l.Turn(t.Context(), func(context.Context) error { return answer() }) },
					"free": func() error { return l.check(t.Context()) },
				}
				for what, call := range calls {
					fault, ok := errors.AsType[*Error](call())
					if !ok || fault.Vendor != event.Argos || fault.Kind != Unexplained || !fault.Unknown || !errors.Is(fault, errPanicked) {
						t.Errorf("%s: %v", what, fault)
					}
				}
				broken = false
				for what, call := range calls { // for which the lane has one permit, given back
					if err := call(); err != nil {
						t.Errorf("%s after a panic: %v", what, err)
					}
				}
				if n := testutil.ToFloat64(l.metrics.panics); n != 3 {
					t.Errorf("%v panics are counted, want 3", n)
				}
				if text := log.String(); !strings.Contains(text, c.logged) || !strings.Contains(text, "contain_test.go") ||
					strings.Contains(text, "Lovelace") || strings.Contains(text, "P1234567") {
					t.Errorf("the log is\n%s", text)
				}
			})
		})
	}
}
