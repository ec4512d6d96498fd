package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"reauth/internal/campaign"
	"reauth/internal/config"
	"reauth/internal/connect"
	"reauth/internal/event"
	"reauth/internal/stream"
)

// watcher reads the topics of a campaign until it is complete.
type watcher struct {
	scanner
	topics   config.Topics
	campaign string
	manifest *manifest // nil: there is none
	since    time.Time // zero: the first record
	// counts tells that the number of requests is found by counting records.
	counts   bool
	progress *campaign.Progress
}

// sighting is what a reader met: a record, or, as of a gap, only the news of how far it
// is.
type sighting struct {
	place
	record  event.Record
	control bool
}

// settleTime bounds how long a complete campaign is watched for repeats that
// are in the topics already.
const settleTime = 10 * time.Second

// awaitManifest has the progress await the manifest's requests.
func (w *watcher) awaitManifest() error {
	if w.manifest == nil {
		return nil
	}
	faulty := 0
	err := w.manifest.each(func(row campaign.Row) error {
		if len(row.Faults) > 0 {
			faulty++
			return nil
		}
		w.progress.Await(row.Request.RequestID)
		return nil
	})
	if faulty > 0 {
		fmt.Fprintf(w.messages, "%s of %s are faulty and not awaited\n", count(faulty, "row"), w.manifest.name)
	}
	if err == nil && w.progress.Awaited() == 0 {
		err = fmt.Errorf("%s holds no request", w.manifest.name)
	}
	return err
}

// run reads until the campaign is complete, and returns the cause of ctx if that
// ends earlier, or why a topic cannot be read.
func (w *watcher) run(ctx context.Context) error {
	places := w.places(w.topics.Results, w.topics.Dead)
	requests := w.places(connect.RequestTopics(w.topics)...)
	if w.counts {
		places = append(places, requests...)
	}
	from, err := w.starts(ctx, places, w.since)
	if err != nil {
		return err
	}
	// The count of requests is not believed before it reaches what was there
	// at the start.
	due := make(map[place]int64)
	if w.counts {
		if due, err = w.ends(ctx, requests); err != nil {
			return err
		}
	}
	reading, stop := context.WithCancel(ctx)
	sightings := make(chan sighting, 256)
	group, reading := errgroup.WithContext(reading)
	for _, p := range places {
		start := from[p] // follow goes on to change from
		group.Go(func() error { return w.read(reading, p, start, sightings) })
	}
	err = w.follow(reading, sightings, places, from, due)
	stop()
	failed := group.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case failed != nil:
		return failed
	}
	return err
}

// follow books what the readers meet, until the campaign is complete and what
// was in the topics by then has been read too.
func (w *watcher) follow(ctx context.Context, sightings <-chan sighting, places []place, next, due map[place]int64) error {
	m := newMeter(w.messages, "ended")
	defer m.end()
	tick := time.NewTicker(m.every())
	defer tick.Stop()
	var settled <-chan time.Time // nil until complete
	for {
		reached(due, next)
		switch {
		case len(due) > 0 || !w.progress.Complete():
		case settled != nil:
			return nil
		default:
			var err error
			if due, err = w.ends(ctx, places); err != nil {
				return err
			}
			timer := time.NewTimer(settleTime)
			defer timer.Stop()
			settled = timer.C
			continue
		}
		select {
		case s := <-sightings:
			w.see(s)
			next[s.place] = s.record.Offset + 1
		case <-tick.C:
			m.show(w.reading())
		case <-settled:
			if w.progress.Complete() {
				return nil
			}
			settled = nil // requests came to light meanwhile
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// reached forgets the places that have been read as far as was due.
func reached(due, next map[place]int64) {
	for p, end := range due {
		if next[p] >= end {
			delete(due, p)
		}
	}
}

// see books one sighting.
func (w *watcher) see(s sighting) {
	switch {
	case s.control:
	case s.topic == w.topics.Results:
		w.progress.SeeResult(s.record)
	case s.topic == w.topics.Dead:
		w.progress.SeeDead(s.record)
	default:
		w.progress.SeeRequest(s.record)
	}
}

func (w *watcher) reading() reading {
	r := reading{done: w.progress.Ended(), total: w.progress.Awaited()}
	if r.total == 0 {
		r.note = "no request of the campaign seen yet"
	}
	return r
}

// read passes the records of one partition on, until ctx ends.
func (w *watcher) read(ctx context.Context, p place, from int64, sightings chan<- sighting) error {
	reader, err := w.client.NewReader(p.topic, p.partition, from)
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		record, err := reader.Fetch(ctx)
		var gap *stream.GapError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &gap):
			fmt.Fprintln(w.messages, gap)
			record = event.Record{Offset: gap.To - 1} // nothing may ever come behind it
		case err != nil && !errors.Is(err, stream.ErrControl):
			return err
		}
		select {
		case sightings <- sighting{place: p, record: record, control: err != nil}:
		case <-ctx.Done():
			return nil
		}
	}
}
