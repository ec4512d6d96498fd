package storage

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A hedge is a second GET for a selfie whose first one takes longer than most, as
// in "The Tail at Scale" (Dean and Barroso, CACM 56/2, 2013). The first that is
// whole wins; bytes, digest and version are all from its answer. The other is
// cancelled, which over HTTP/1.1 costs its connection.
//
// What hedges may cost is bounded: at most hedgeShare of the fetches have one, so
// that a store which is slow for all is not asked for twice as much, and one is
// made only if its memory is there without a wait.

const (
	// hedgeShare of all fetches may be hedged, hedgeBurst of them at once.
	hedgeShare = 1. / 20
	hedgeBurst = 8
	// hedgeSooner is the least delay: shorter ones tell noise from noise.
	hedgeSooner = 20 * time.Millisecond
	// hedgeQuantile of the last hedgeSample fetches were faster than the delay,
	// which is found anew every hedgeEvery, at first, and then for each tenth of the
	// sample. With a smaller sample the delay of a store of whose answers some 4 % are
	// slow is now and then that of the slow.
	hedgeQuantile = .95
	hedgeSample   = 1000
	hedgeEvery    = 20
)

// The results of a hedge.
const (
	hedgeWon     = "won"
	hedgeLost    = "lost"
	hedgeRefused = "refused"
)

// hedges says when a hedge is due, and whether it may be made. Its methods may be
// used by many goroutines at once.
type hedges struct {
	most time.Duration

	mu     sync.Mutex // guards all below
	delay  time.Duration
	times  []time.Duration // the last fetches, in no order
	sorted []time.Duration // scratch
	next   int             // the oldest of times
	fresh  int             // since the delay was found
	budget float64         // of hedges
}

// newHedges returns those for GETs that may take as long as timeout. Before
// enough of them were seen, half of it is the delay.
func newHedges(timeout time.Duration) *hedges {
	return &hedges{most: timeout / 2, delay: timeout / 2}
}

// begin counts a fetch, and returns how long it may take before its hedge is due.
func (h *hedges) begin() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.budget = min(hedgeBurst, h.budget+hedgeShare)
	return h.delay
}

// spend says whether the budget has a hedge left, and takes it.
func (h *hedges) spend() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	// What twenty shares add up to is a little less than one.
	if h.budget < 1-1e-9 {
		return false
	}
	h.budget--
	return true
}

// observe takes into account how long a fetch took until its selfie was there,
// whichever GET brought it: how long the loser would have taken nobody knows, but
// it took more than the delay, and so belongs to the same side of it.
func (h *hedges) observe(took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.times) < hedgeSample {
		h.times = append(h.times, took)
	} else {
		h.times[h.next] = took
		h.next = (h.next + 1) % hedgeSample
	}
	if h.fresh++; h.fresh < max(hedgeEvery, len(h.times)/10) {
		return
	}
	h.fresh = 0
	sorted := append(h.sorted[:0], h.times...)
	slices.Sort(sorted)
	h.sorted = sorted
	h.delay = min(h.most, max(hedgeSooner, sorted[int(hedgeQuantile*float64(len(sorted)))]))
}

// getHedged is get with a hedge if it takes long. The object's content is another
// buffer than content, which is then released, if the hedge brought it.
func (s *Store) getHedged(ctx context.Context, ref Ref, content *buffer) (object, int64, *Error) {
	begun := time.Now()
	timed, callOff := context.WithDeadline(ctx, begun.Add(s.timeout))
	defer callOff()
	if s.hedges == nil {
		return s.get(ctx, timed, ref, content)
	}
	first, overtake := context.WithCancel(timed)
	defer overtake()
	second, want := make(chan object, 1), content.reserved
	due := time.AfterFunc(s.hedges.begin(), func() {
		o := s.hedge(ctx, timed, ref, want)
		if o.content != nil {
			overtake()
		}
		second <- o
	})

	o, need, fault := s.get(ctx, first, ref, content)
	whole := fault == nil && need == 0
	if due.Stop() {
		if whole {
			s.hedges.observe(time.Since(begun))
		}
		return o, need, fault
	}
	// A hedge may still come to help one that broke off, and nothing else:
	// what the store said holds for both, and memory has to be waited for with
	// empty hands.
	if whole || need > 0 || fault.Kind != Transient {
		callOff()
	}
	hedged := <-second
	switch {
	case hedged.content == nil:
	case whole:
		hedged.content.release()
		s.metrics.hedges.WithLabelValues(hedgeLost).Inc()
	default:
		content.release()
		s.metrics.hedges.WithLabelValues(hedgeWon).Inc()
		o, need, fault, whole = hedged, 0, nil, true
	}
	if whole {
		s.hedges.observe(time.Since(begun))
	}
	return o, need, fault
}

// hedge makes a second GET, within timed, which was made from ctx, with room for want
// bytes. The object has no content if it was not made, or was in vain.
func (s *Store) hedge(ctx, timed context.Context, ref Ref, want int64) object {
	content := s.memory.reserveNow(want)
	if content == nil || !s.hedges.spend() {
		if content != nil {
			content.release()
		}
		s.metrics.hedges.WithLabelValues(hedgeRefused).Inc()
		return object{}
	}
	o, need, fault := s.get(ctx, timed, ref, content)
	if need == 0 && fault == nil {
		// What is no selfie shall not overtake one that may be.
		_, fault = inspect(content, s.maxPixels)
	}
	if need > 0 || fault != nil {
		content.release()
		s.metrics.hedges.WithLabelValues(hedgeLost).Inc()
		return object{}
	}
	return o
}
