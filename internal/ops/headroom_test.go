package ops

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestPercentBoundsTheGarbage(t *testing.T) {
	for _, c := range []struct {
		live, least, most uint64
		want              int
	}{
		{0, 0, 48 << 20, 100},
		{48 << 20, 0, 48 << 20, 100},
		{96 << 20, 0, 48 << 20, 50},
		{10 << 30, 0, 48 << 20, leastPercent},
		{0, 32 << 20, 48 << 20, mostPercent},
		{16 << 20, 32 << 20, 48 << 20, 200},
		{32 << 20, 32 << 20, 48 << 20, 100},
		{96 << 20, 32 << 20, 48 << 20, 50},
		{24 << 20, 1 << 30, 48 << 20, 200},
	} {
		if got := percentFor(c.live, c.least, c.most); got != c.want {
			t.Errorf("%d MiB alive, %d to %d of garbage: %d %%, want %d", c.live>>20, c.least>>20, c.most>>20, got, c.want)
		}
	}
}

func TestHeadroomFollowsTheLivingHeapAndEndsWithItsContext(t *testing.T) {
	t.Setenv("GOGC", "")
	alive := make([]byte, 64<<20)
	runtime.GC()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); BoundHeadroom(ctx, 0, 16<<20) }()
	percent := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	deadline := time.After(time.Minute)
	for {
		metrics.Read(percent) // debug.SetGCPercent tells it, too, but could undo what is set meanwhile
		if percent[0].Value.Uint64() < 50 {
			break
		}
		select {
		case <-deadline:
			t.Fatalf("GOGC is %d with 64 MiB alive and a headroom of 16", percent[0].Value.Uint64())
		case <-time.After(50 * time.Millisecond):
		}
	}
	runtime.KeepAlive(alive)
	cancel()
	<-ended
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("GOGC is left at %d", got)
	}
}
