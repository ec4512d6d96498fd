package vendors

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What the vendor is asked beside calls is claimed first, however long that takes, and
// leaves in the slot that was claimed.
func TestNothingIsAskedWithoutAClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes = 100 * time.Millisecond
		cfg := config()
		cfg.Windows = []Window{{50, time.Second}, {100, time.Minute}}
		var asked []time.Time
		f := &fakeAdapter{check: func() error {
			asked = append(asked, time.Now())
			return fault(LaneFault)
		}}
		l := NewLane(f, cfg)
		var claimed []time.Time // those that a question is to follow
		writes := 0
		l.ClaimTurns(Claims{
			Lead: func() time.Duration { return takes },
			Write: func(_ context.Context, shard int, at time.Time) error {
				if shard != 3 {
					t.Errorf("claimed on shard %d", shard)
				}
				time.Sleep(takes)
				switch writes++; writes {
				case 8:
					return ErrMissed
				case 5, 14: // of a turn and of a check
					time.Sleep(takes)
					return nil
				}
				claimed = append(claimed, at)
				return nil
			},
		})
		l.SetShards([]int{3}, 4)
		l.BeginRestore(3)
		l.EndRestore(3)
		for range 10 {
			if err := l.Turn(t.Context(), func(context.Context) error { asked = append(asked, time.Now()); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		_ = l.Turn(t.Context(), func(context.Context) error { asked = append(asked, time.Now()); return fault(LaneFault) })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, _ = l.ReserveFor(ctx, 3, 0) // checks
		if len(asked) < 14 || len(claimed) != len(asked) {
			t.Fatalf("%d claims for %d questions", len(claimed), len(asked))
		}
		for i, at := range asked {
			if late := at.Sub(claimed[i]); late < 0 || late > Lateness {
				t.Errorf("question %d leaves %s after its slot", i, late)
			}
		}
	})
}

// Where the pace keeps all limits there is nothing to count, and nothing is written.
func TestNothingIsClaimedWhereNothingIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, windows := range [][]Window{nil, perSecond(50)} {
			cfg := config()
			cfg.Windows = windows
			l := NewLane(&fakeAdapter{}, cfg)
			l.ClaimTurns(Claims{
				Lead:  func() time.Duration { return time.Second },
				Write: func(context.Context, int, time.Time) error { return errors.New("written") },
			})
			l.SetShards([]int{0}, 1)
			time.Sleep(time.Second)
			start := time.Now()
			err := l.Turn(t.Context(), func(context.Context) error { return nil })
			if took := time.Since(start); err != nil || took > 100*time.Millisecond {
				t.Errorf("a turn took %s: %v", took, err)
			}
		}
	})
}
