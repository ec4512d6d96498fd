package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"reauth/internal/event"
	"reauth/internal/stream"
)

// scanner reads partitions of topics.
type scanner struct {
	client     *stream.Client
	partitions map[string]int // by topic
	messages   io.Writer
}

// place is one partition of one topic.
type place struct {
	topic     string
	partition int
}

// span is a part of a place: from the position next up to end.
type span struct {
	place
	next, end int64
}

// scansAtOnce is how many places are read, or asked for positions, at a time.
const scansAtOnce = 16

// places returns all partitions of the topics.
func (s scanner) places(topics ...string) []place {
	var all []place
	for _, topic := range topics {
		for partition := range s.partitions[topic] {
			all = append(all, place{topic, partition})
		}
	}
	return all
}

// starts returns where to begin reading; zero stands for the first record.
func (s scanner) starts(ctx context.Context, places []place, since time.Time) (map[place]int64, error) {
	return lookUp(ctx, places, func(ctx context.Context, p place) (int64, error) {
		if since.IsZero() {
			return s.client.First(ctx, p.topic, p.partition)
		}
		return s.client.OffsetAt(ctx, p.topic, p.partition, since)
	})
}

// ends returns the positions after the last records.
func (s scanner) ends(ctx context.Context, places []place) (map[place]int64, error) {
	return lookUp(ctx, places, func(ctx context.Context, p place) (int64, error) {
		return s.client.End(ctx, p.topic, p.partition)
	})
}

// spans returns what the places hold now, from since on.
func (s scanner) spans(ctx context.Context, places []place, since time.Time) ([]span, error) {
	from, err := s.starts(ctx, places, since)
	if err != nil {
		return nil, err
	}
	ends, err := s.ends(ctx, places)
	if err != nil {
		return nil, err
	}
	spans := make([]span, len(places))
	for i, p := range places {
		spans[i] = span{p, from[p], ends[p]}
	}
	return spans, nil
}

// scan calls visit with the records of a span, in order. It ends early with
// the error of visit, or the cause of ctx.
func (s scanner) scan(ctx context.Context, sp span, visit func(event.Record) error) error {
	if sp.next >= sp.end {
		return nil
	}
	reader, err := s.client.NewReader(sp.topic, sp.partition, sp.next)
	if err != nil {
		return err
	}
	defer reader.Close()
	for next := sp.next; next < sp.end; {
		record, err := reader.Fetch(ctx)
		var gap *stream.GapError
		switch {
		case errors.As(err, &gap):
			fmt.Fprintln(s.messages, gap)
			next = gap.To
			continue
		case err != nil && !errors.Is(err, stream.ErrControl):
			return err
		}
		next = record.Offset + 1
		if err != nil || record.Offset >= sp.end {
			continue
		}
		if err := visit(record); err != nil {
			return err
		}
	}
	return nil
}

// scanAll reads several spans at a time. It calls visit with one record at a
// time, those of one span in order.
func (s scanner) scanAll(ctx context.Context, spans []span, visit func(event.Record) error) error {
	var mu sync.Mutex // held while visiting
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(scansAtOnce)
	for _, sp := range spans {
		group.Go(func() error {
			return s.scan(reading, sp, func(rec event.Record) error {
				mu.Lock()
				defer mu.Unlock()
				return visit(rec)
			})
		})
	}
	return group.Wait()
}

// scanMetered is scanAll with a meter.
func (s scanner) scanMetered(ctx context.Context, spans []span, visit func(event.Record) error) error {
	total := 0
	for _, sp := range spans {
		total += int(max(0, sp.end-sp.next))
	}
	var done atomic.Int64
	m := newMeter(s.messages, "read")
	defer m.follow(func() reading { return reading{done: int(done.Load()), total: total} })()
	return s.scanAll(ctx, spans, func(rec event.Record) error {
		done.Add(1)
		return visit(rec)
	})
}

func lookUp(ctx context.Context, places []place, ask func(context.Context, place) (int64, error)) (map[place]int64, error) {
	found := make([]int64, len(places))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(scansAtOnce)
	for i, p := range places {
		group.Go(func() (err error) {
			found[i], err = ask(asking, p)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	positions := make(map[place]int64, len(places))
	for i, p := range places {
		positions[p] = found[i]
	}
	return positions, nil
}
