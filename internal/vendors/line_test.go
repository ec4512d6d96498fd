package vendors

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A list's pages come one after the other: were each to wait behind all calls, what
// became of lost calls would be learnt long after the vendor is back.
func TestListPagesGoAheadOfCallsThatWait(t *testing.T) {
	for name, c := range map[string]struct {
		inFlight int
		delay    time.Duration
	}{
		"for their slots":                   {inFlight: 100},
		"for a place among those in flight": {inFlight: 3, delay: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &fakeAdapter{delay: c.delay}
				cfg := config()
				cfg.MaxInFlight = c.inFlight
				l := NewLane(a, cfg)
				l.SetShards([]int{0}, 1)
				ctx, stop := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				defer wg.Wait()
				defer stop()
				const callers = 300
				for range callers {
					wg.Go(func() {
						if p, err := l.ReserveFor(ctx, 0, 0); err == nil {
							_, _ = l.Call(ctx, p, Call{}, may)
						}
					})
				}
				time.Sleep(time.Second) // fake time
				for page := range 5 {
					before := len(a.made())
					if err := l.TurnAhead(ctx, func(context.Context) error { return nil }); err != nil {
						t.Fatal(err)
					}
					// Some have their permits already, and one is the first in line.
					if calls := len(a.made()) - before; calls > 5 {
						t.Errorf("page %d had %d calls made before it", page, calls)
					}
				}
				if n := len(a.made()); n == callers {
					t.Error("nobody waited any more")
				}
			})
		})
	}
}

func TestLineIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1)
		if err := l.take(t.Context(), asTheyCome); err != nil {
			t.Fatal(err)
		}
		var served []int
		for i := range 10 {
			go func() {
				place := asTheyCome
				if i == 9 {
					place = ahead
				}
				if err := l.take(t.Context(), place); err != nil {
					t.Error(err)
					return
				}
				served = append(served, i)
				l.giveBack()
			}()
			synctest.Wait()
		}
		l.giveBack()
		synctest.Wait()
		if want := []int{0, 9, 1, 2, 3, 4, 5, 6, 7, 8}; !slices.Equal(served, want) {
			t.Errorf("served %v, want %v", served, want)
		}
	})
}

func TestLineLeftByOneWhoWaitedIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1)
		if err := l.take(t.Context(), asTheyCome); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if l.take(short, asTheyCome) == nil || l.take(short, ahead) == nil {
			t.Fatal("two hold the only token")
		}
		l.giveBack()
		if err := l.take(t.Context(), asTheyCome); err != nil || l.taken() != 1 {
			t.Errorf("%v, %d taken", err, l.taken())
		}
	})
}
