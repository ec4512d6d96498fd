package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"reauth/internal/campaign"
	"reauth/internal/connect"
	"reauth/internal/event"
)

const (
	// maxMissing is how many of the missing requests are named.
	maxMissing = 10
	// missingTime bounds the search for them.
	missingTime = 30 * time.Second
)

// errEnough ends a search.
var errEnough = errors.New("enough found")

// missingIDs returns the ids of the first requests that have not come to their
// end. They are not kept while watching, so it looks for them in the manifest,
// or in the topics of requests. A search that fails says so and returns what it
// has found.
func (w *watcher) missingIDs(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, missingTime)
	defer cancel()
	var ids []string
	note := func(id string) error {
		if id != "" && !w.progress.HasEnded(id) {
			ids = append(ids, id)
		}
		if len(ids) == maxMissing {
			return errEnough
		}
		return nil
	}
	search := w.searchRequests
	if w.manifest != nil {
		search = w.searchManifest
	}
	if err := search(ctx, note); err != nil && !errors.Is(err, errEnough) {
		fmt.Fprintln(w.messages, "looking for the missing requests:", err)
	}
	return ids
}

func (w *watcher) searchManifest(ctx context.Context, note func(string) error) error {
	return w.manifest.each(func(row campaign.Row) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(row.Faults) > 0 {
			return nil
		}
		return note(row.Request.RequestID)
	})
}

// searchRequests reads the topics of requests, one partition after the other.
func (w *watcher) searchRequests(ctx context.Context, note func(string) error) error {
	spans, err := w.spans(ctx, w.places(connect.RequestTopics(w.topics)...), w.since)
	if err != nil {
		return err
	}
	for _, sp := range spans {
		err := w.scan(ctx, sp, func(rec event.Record) error {
			if id, ok := campaign.RequestOf(rec, w.campaign); ok {
				return note(id)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
