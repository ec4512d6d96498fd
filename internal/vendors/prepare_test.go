package vendors

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// preparingAdapter needs a token for its calls.
type preparingAdapter struct {
	*fakeAdapter
	tokens *Tokens
}

func (a preparingAdapter) Prepare(ctx context.Context) error {
	_, err := a.tokens.Get(ctx)
	return err
}

func (a preparingAdapter) Authenticate(ctx context.Context, c Call) (Verdict, error) {
	if _, err := a.tokens.Get(ctx); err != nil {
		return Verdict{}, err
	}
	return a.fakeAdapter.Authenticate(ctx, c)
}

// newPreparingLane returns a lane of 50 calls a second whose tokens are fetched by
// fetch, and last for ten seconds.
func newPreparingLane(fetch func(context.Context) error) (*Lane, *fakeAdapter) {
	tokens, _ := source(10*time.Second, fetch)
	a := &fakeAdapter{}
	l := NewLane(preparingAdapter{a, tokens}, config())
	l.SetShards([]int{0}, 1)
	return l, a
}

// Those who wait for a token must not leave all at once when it is there.
func TestLimitHoldsWhenATokenComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, a := newPreparingLane(func(context.Context) error {
			time.Sleep(6 * time.Second) // renewed after eight seconds of ten: four too late
			return nil
		})
		drive(l, 400, time.Minute)
		calls, first := a.made(), 0
		slices.SortFunc(calls, time.Time.Compare)
		if len(calls) < 1000 {
			t.Fatalf("%d calls in a minute", len(calls))
		}
		for i, call := range calls {
			for call.Sub(calls[first]) >= time.Second {
				first++
			}
			if n := i - first + 1; n > 50 {
				t.Fatalf("%d calls within a second", n)
			}
		}
	})
}

// What it fails for is the lane's, as if a call had: no call is made, nor asked for.
func TestNoCallIsMadeThatCannotBePrepared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, a := newPreparingLane(func(context.Context) error { return fault(LaneFault) })
		p, err := l.ReserveFor(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Call(t.Context(), p, Call{}, func() error {
			t.Error("a call was asked for")
			return nil
		})
		if kindOf(err) != LaneFault.String() || l.Fault() == nil || len(a.made()) != 0 {
			t.Errorf("error %v, lane's fault %v, %d calls", err, l.Fault(), len(a.made()))
		}
	})
}
