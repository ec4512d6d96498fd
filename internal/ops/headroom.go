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
const Headroom = 40 << 20

const (
	headroomEvery = 250 * time.Millisecond
	// leastPercent keeps the collector from running all the time once the
	// living heap is many times the headroom.
	leastPercent = 25
	// mostPercent bounds by how much the heap may grow before the next look.
	mostPercent = 200
)

// BoundHeadroom keeps the heap's garbage between least and most bytes, most if that
// is less, until ctx ends, where the collector would have less or allow more: it
// is run as often for little as for much, so a small living heap is the one that
// it costs most for each request. It leaves everything alone if GOGC is set.
func BoundHeadroom(ctx context.Context, least, most uint64) {
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
		if p := percentFor(sample[0].Value.Uint64(), least, most); p < percent-5 || p > percent+5 || p == 100 && percent != 100 {
			debug.SetGCPercent(p)
			percent = p
		}
	}
}

// percentFor returns GOGC: what keeps the garbage between least and most, 100 if
// that does.
func percentFor(live, least, most uint64) int {
	switch least = min(least, most); {
	case live > most:
		return int(max(leastPercent, most*100/live))
	case live < least:
		return int(min(mostPercent, least*100/max(1, live)))
	}
	return 100
}
