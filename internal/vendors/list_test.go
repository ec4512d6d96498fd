package vendors

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A list that waited for a slot sooner than calls can use would hold up those who
// reserve the slots in between.
func TestListsTakeTheirOwnSlotsOnly(t *testing.T) {
	for _, lead := range []time.Duration{15 * time.Millisecond, 200 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeAdapter{delay: time.Second}
			cfg := config()
			cfg.Windows, cfg.MaxInFlight = perSecond(400), 1200
			l := NewLane(f, cfg)
			l.SetShards([]int{0}, 1)
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for range 700 {
				wg.Go(func() {
					for ctx.Err() == nil {
						if p, err := l.ReserveFor(ctx, 0, lead); err == nil {
							_, _ = l.Call(ctx, p, Call{}, may)
						}
					}
				})
			}
			var lists atomic.Int64
			wg.Go(func() {
				for ctx.Err() == nil {
					if l.Turn(ctx, func(context.Context) error { return nil }) == nil {
						lists.Add(1)
					}
					_ = sleep(ctx, 250*time.Millisecond, nil)
				}
			})
			time.Sleep(5 * time.Second)
			calls, asked := len(f.made()), lists.Load()
			time.Sleep(20 * time.Second)
			calls, asked = len(f.made())-calls, lists.Load()-asked
			stop()
			wg.Wait()
			if allowed := 392 * 20; calls+int(asked) < allowed-5 || asked < 10 {
				t.Errorf("with a lead of %s %d calls and %d lists were made, of %d allowed", lead, calls, asked, allowed)
			}
		})
	}
}
