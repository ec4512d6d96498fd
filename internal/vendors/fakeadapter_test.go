package vendors

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"reauth/internal/event"
)

// fakeAdapter answers each call as answer says and notes when it came.
type fakeAdapter struct {
	answer func(n int) error
	check  func() error
	delay  time.Duration
	// connect is how long a call takes to connect before it leaves.
	connect func() time.Duration

	mu    sync.Mutex
	calls []time.Time
}

func (f *fakeAdapter) Name() event.Vendor         { return event.Argos }
func (f *fakeAdapter) Capabilities() Capabilities { return Capabilities{} }

func (f *fakeAdapter) Check(context.Context) error {
	if f.check == nil {
		return nil
	}
	return f.check()
}

func (f *fakeAdapter) Authenticate(ctx context.Context, _ Call) (Verdict, error) {
	if f.connect != nil {
		time.Sleep(f.connect())
	}
	if permit, ok := ctx.Value(leaving{}).(*Permit); ok {
		if err := permit.hold(ctx); err != nil {
			return Verdict{}, &Error{Vendor: event.Argos, Kind: Transient, Err: err}
		}
		permit.left()
	}
	f.mu.Lock()
	f.calls = append(f.calls, time.Now())
	n := len(f.calls)
	f.mu.Unlock()
	if f.delay > 0 {
		if err := sleep(ctx, f.delay, nil); err != nil {
			return Verdict{}, &Error{Vendor: event.Argos, Kind: Transient, Unknown: true, Err: ctx.Err()}
		}
	}
	if f.answer != nil {
		if err := f.answer(n); err != nil {
			return Verdict{}, err
		}
	}
	return Verdict{Outcome: event.Approved}, nil
}

func (f *fakeAdapter) made() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Time(nil), f.calls...)
}

func fault(k Kind) error { return &Error{Vendor: event.Argos, Kind: k, Op: "authenticate"} }

// may allows every call.
func may() error { return nil }

func perSecond(n int) []Window { return []Window{{n, time.Second}} }

func config() LaneConfig {
	return LaneConfig{
		Windows: perSecond(50), Headroom: 0.02, MaxInFlight: 256, Timeout: 30 * time.Second,
		Breaker: BreakerConfig{Ratio: .5, MinCalls: 20, Window: 30 * time.Second, SlowCall: 20 * time.Second, Open: 15 * time.Second, Probes: 1},
		Logger:  slog.New(slog.DiscardHandler),
	}
}

// drive keeps n callers busy on the lane for d, each caller asking for the next
// permit when its call ended, and returns when all have ended.
func drive(l *Lane, n int, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				p, err := l.ReserveFor(ctx, 0, 0)
				if err != nil {
					return
				}
				_, _ = l.Call(context.Background(), p, Call{}, may)
			}
		})
	}
	wg.Wait()
}
