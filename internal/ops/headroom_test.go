package ops

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPercentBoundsTheGarbage(t *testing.T) {
	for _, c := range []struct {
		live, headroom uint64
		want           int
	}{
		{0, 48 << 20, 100},
		{48 << 20, 48 << 20, 100},
		{96 << 20, 48 << 20, 50},
		{10 << 30, 48 << 20, leastPercent},
	} {
		if got := percentFor(c.live, c.headroom); got != c.want {
			t.Errorf("%d MiB alive: %d %%, want %d", c.live>>20, got, c.want)
		}
	}
}

func TestHeadroomFollowsTheLivingHeapAndEndsWithItsContext(t *testing.T) {
	t.Setenv("GOGC", "")
	alive := make([]byte, 64<<20)
	runtime.GC()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); BoundHeadroom(ctx, 16<<20) }()
	deadline := time.After(10 * time.Second)
	for {
		before := debug.SetGCPercent(100)
		debug.SetGCPercent(before)
		if before < 50 {
			break
		}
		select {
		case <-deadline:
			t.Fatalf("GOGC is %d with 64 MiB alive and a headroom of 16", before)
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
