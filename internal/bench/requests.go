package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/stream"
)

// requestOf is the nth request of a run; its selfie has kB times 1,000 bytes.
func requestOf(n, kB int) event.Request {
	return event.Request{
		RequestID:    fmt.Sprintf("bench-%07d", n),
		Vendor:       event.Argos,
		SubmissionID: fmt.Sprintf("sub-approve-%07d", n),
		SelfieKey:    selfieKey(n, kB),
		CampaignID:   "bench",
		UserID:       fmt.Sprintf("user-%07d", n),
	}
}

func selfieKey(n, kB int) string { return fmt.Sprintf("selfies/%d-%dKB.jpg", n, kB) }

// publish writes requests from first on, n of them, evenly over the shards.
func (w *world) publish(ctx context.Context, writer *stream.Writer, first, n, kB int) error {
	records := make([]event.Record, n)
	for i := range records {
		r := requestOf(first+i, kB)
		value, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encoding a request: %w", err)
		}
		records[i] = event.Record{Topic: requestsTopic, Partition: (first + i) % shards, Key: []byte(r.RequestID), Value: value}
	}
	return writer.Write(ctx, records...)
}

// results hands on when each result was published.
type results struct {
	times chan time.Time
	fault chan error
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

func (w *world) results(ctx context.Context) (*results, error) {
	ctx, stop := context.WithCancel(ctx)
	r := &results{times: make(chan time.Time, 1000), fault: make(chan error, shards), stop: stop}
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
				if err != nil {
					r.fault <- err
					return
				}
				var result struct {
					Outcome event.Outcome `json:"outcome"`
				}
				if err := json.Unmarshal(record.Value, &result); err != nil || result.Outcome != event.Approved {
					r.fault <- fmt.Errorf("a result is %q: %w", result.Outcome, errors.Join(err, errUnexpected))
					return
				}
				select {
				case r.times <- record.Time:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	return r, nil
}

var errUnexpected = errors.New("every request should have been approved")

// await waits for n results and returns the time from the first to the last.
func (r *results) await(ctx context.Context, n int, c *consumer) (time.Duration, error) {
	var first, last time.Time
	for i := range n {
		select {
		case at := <-r.times:
			if i == 0 || at.Before(first) {
				first = at
			}
			if at.After(last) {
				last = at
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
