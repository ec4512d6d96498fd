package main

import (
	"context"
	"encoding/json"
	"fmt"

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
