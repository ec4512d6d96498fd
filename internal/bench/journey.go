package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/stream"
)

// steps are the rows of the table.
var steps = []struct {
	name string
	of   func(journey) time.Duration
}{
	{"request sent – result received", func(j journey) time.Duration { return j.result.received.Sub(j.sent) }},
	{"store", func(j journey) time.Duration { return millis(j.result.timings.Selfie) }},
	{"vendor", func(j journey) time.Duration { return millis(j.result.timings.Vendor) }},
	{"added: all but store and vendor", journey.added},
	{"  of it: request sent – claim in the ledger, less store", func(j journey) time.Duration { return j.claimed.Sub(j.sent) - millis(j.result.timings.Selfie) }},
	{"    of it: permit", func(j journey) time.Duration { return millis(j.result.timings.Permit) }},
	{"  of it: claim in the ledger – answer in the ledger, less vendor", func(j journey) time.Duration { return j.answered.Sub(j.claimed) - millis(j.result.timings.Vendor) }},
	{"  of it: answer in the ledger – result received", func(j journey) time.Duration { return j.result.received.Sub(j.answered) }},
}

// journey is when a request came where, by our clock, as far as can be seen from
// outside: records count from when we read them.
type journey struct {
	sent              time.Time
	claimed, answered time.Time // the ledger's records
	result            seen
}

// added is what neither store nor vendor took. The result has their times in
// whole milliseconds, cut off, so that it is up to 2 ms less.
func (j journey) added() time.Duration {
	return j.result.received.Sub(j.sent) - millis(j.result.timings.Selfie) - millis(j.result.timings.Vendor)
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// percentiles are the cells of a row, in milliseconds.
func percentiles(values []time.Duration) (cells []any) {
	sorted := slices.Sorted(slices.Values(values))
	for _, q := range []float64{0.5, 0.9, 0.99, 1} {
		cells = append(cells, fmt.Sprintf("%.1f", float64(quantile(sorted, q))/float64(time.Millisecond)))
	}
	return cells
}

// quantile returns the least of the sorted values that a share of them does not
// exceed.
func quantile(sorted []time.Duration, share float64) time.Duration {
	return sorted[max(0, min(len(sorted), int(share*float64(len(sorted))+0.999999))-1)]
}

// ledgerReader notes when the records of each request come into the ledger.
type ledgerReader struct {
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex // guards what follows
	journeys map[int]journey
}

func (w *world) readLedger(ctx context.Context) (*ledgerReader, error) {
	ctx, stop := context.WithCancel(ctx)
	l := &ledgerReader{stop: stop, journeys: map[int]journey{}}
	for partition := range shards {
		reader, err := w.kafka.NewReader(ledgerTopic, partition, stream.FirstOffset)
		if err != nil {
			l.close()
			return nil, err
		}
		l.wg.Go(func() {
			defer reader.Close()
			for {
				record, err := reader.Fetch(ctx)
				if err != nil {
					return // what is missing then is missed by complete
				}
				l.take(record, time.Now())
			}
		})
	}
	return l, nil
}

func (l *ledgerReader) take(record event.Record, at time.Time) {
	number, err := numberOf(string(record.Key))
	if err != nil {
		return // not about a request
	}
	r, err := ledger.Decode(record.Value)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.journeys[number]
	switch {
	case r.Step == ledger.Claimed:
		j.claimed = at // the last one: the slots of others were missed
	case r.Step == ledger.Answered:
		j.answered = at
	}
	l.journeys[number] = j
}

// complete fills in what the ledger says about a request.
func (l *ledgerReader) complete(number int, j *journey) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.journeys[number]
	if found.claimed.IsZero() || found.answered.IsZero() {
		return fmt.Errorf("the ledger has no claim or no answer of request %d", number)
	}
	j.claimed, j.answered = found.claimed, found.answered
	return nil
}

func (l *ledgerReader) close() {
	l.stop()
	l.wg.Wait()
}
