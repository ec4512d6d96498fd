package ops

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Headroom is how much garbage the heap may hold above what is alive. The
// collector's own rule, as much again, is cheap while little is alive; with a
// large ledger in memory it would double what the process takes.
const Headroom = 48 << 20

const (
	headroomEvery = 250 * time.Millisecond
	// leastPercent keeps the collector from running all the time once the
	// living heap is many times the headroom.
	leastPercent = 25
)

// BoundHeadroom keeps the heap's garbage below headroom bytes, where that is less
// than the collector would allow, until ctx ends. It leaves everything alone if
// GOGC is set.
func BoundHeadroom(ctx context.Context, headroom uint64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	percent := 100
	defer func() { debug.SetGCPercent(100) }()
	ticker := time.NewTicker(headroomEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(sample)
		if p := percentFor(sample[0].Value.Uint64(), headroom); p < percent-5 || p > percent+5 || p == 100 && percent != 100 {
			debug.SetGCPercent(p)
			percent = p
		}
	}
}

// percentFor returns GOGC for a living heap: 100, or less if that would allow
// more garbage than headroom.
func percentFor(live, headroom uint64) int {
	if live <= headroom {
		return 100
	}
	return int(max(leastPercent, headroom*100/live))
}
