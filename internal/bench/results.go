package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/stream"
)

// seen is a result as it came out of the topic.
type seen struct {
	number   int // of the request: see requestOf
	outcome  event.Outcome
	timings  event.Timings
	at       time.Time // the record's: when the request was completed
	received time.Time // by us
}

// results hands on each result that is published.
type results struct {
	seen  chan seen
	fault chan error
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

func (w *world) results(ctx context.Context) (*results, error) {
	ctx, stop := context.WithCancel(ctx)
	r := &results{seen: make(chan seen, 1000), fault: make(chan error, shards), stop: stop}
	for partition := range shards {
		reader, err := w.kafka.NewReader(resultsTopic, partition, stream.FirstOffset)
		if err != nil {
			r.close()
			return nil, err
		}
		r.wg.Go(func() {
			defer reader.Close()
			for {
				record, err := reader.Fetch(ctx)
				received := time.Now()
				if err != nil {
					r.fault <- err
					return
				}
				one, err := seenIn(record, received)
				if err != nil {
					r.fault <- err
					return
				}
				select {
				case r.seen <- one:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	return r, nil
}

func seenIn(record event.Record, received time.Time) (seen, error) {
	number, err := numberOf(string(record.Key))
	if err != nil {
		return seen{}, err
	}
	var result struct {
		Outcome event.Outcome `json:"outcome"`
		Timings event.Timings `json:"timings_ms"`
	}
	if err := json.Unmarshal(record.Value, &result); err != nil {
		return seen{}, fmt.Errorf("decoding a result: %w", err)
	}
	return seen{number, result.Outcome, result.Timings, record.Time, received}, nil
}

// numberOf undoes requestOf.
func numberOf(requestID string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(requestID, "bench-"))
	if err != nil {
		return 0, fmt.Errorf("reading the number of request %s: %w", requestID, err)
	}
	return n, nil
}

var errUnexpected = errors.New("every request should have been approved")

// await waits for n results and returns the time from the first to the last.
func (r *results) await(ctx context.Context, n int, c *consumer) (time.Duration, error) {
	var first, last time.Time
	for i := range n {
		select {
		case one := <-r.seen:
			if one.outcome != event.Approved {
				return 0, fmt.Errorf("a result is %q: %w", one.outcome, errUnexpected)
			}
			if i == 0 || one.at.Before(first) {
				first = one.at
			}
			if one.at.After(last) {
				last = one.at
			}
		case err := <-r.fault:
			return 0, err
		case <-c.ended:
			return 0, c.alive()
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return last.Sub(first), nil
}

func (r *results) close() {
	r.stop()
	r.wg.Wait()
}
