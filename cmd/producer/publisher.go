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

	"reauth/internal/campaign"
	"reauth/internal/event"
	"reauth/internal/stream"
)

const (
	// batchRecords go to the writer together, batchesInFlight of them at a
	// time: enough to fill the batches of a hundred partitions.
	batchRecords    = 100
	batchesInFlight = 16
	// writePatience bounds how long brokers may refuse a batch for a reason
	// that may pass, such as a leader election.
	writePatience = 2 * time.Minute
	// stopGrace is the time that batches under way have after a signal.
	stopGrace = 10 * time.Second
)

// publisher publishes one manifest.
type publisher struct {
	manifest    *manifest
	topic       string
	fromRow     int
	skipInvalid bool
	pace        pacer
	messages    io.Writer

	rows, faulty int       // by check
	began        time.Time // zero until publish begins
	took         time.Duration
	published    atomic.Int64
}

// batch is a run of rows: those that are to be published, and the faulty ones
// among them.
type batch struct {
	first, last int
	records     []event.Record
}

var (
	errNotTaken = errors.New("the brokers did not take the records in time")
	errChanged  = errors.New("the manifest changed while it was being published")
)

// check reads the whole manifest once and reports every fault.
func (p *publisher) check(ctx context.Context) error {
	return p.manifest.each(func(row campaign.Row) error {
		p.rows++
		if len(row.Faults) > 0 {
			p.faulty++
		}
		for _, f := range row.Faults {
			fmt.Fprintf(p.messages, "%s:%d: %s\n", p.manifest.name, f.Line, f)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("checking %s: %w", p.manifest.name, context.Cause(ctx))
		}
		return nil
	})
}

// publish publishes the rows from fromRow on. After an error it says how to go
// on.
func (p *publisher) publish(ctx context.Context, client *stream.Client) error {
	p.began = time.Now().UTC()
	defer func() { p.took = time.Since(p.began) }()
	fmt.Fprintf(p.messages, "publishing %s as campaign %s\n", p.manifest.name, p.manifest.options.Campaign)

	writer := client.NewWriter(stream.WriterConfig{})
	done := newPrefix(p.fromRow - 1)
	m := newMeter(p.messages, "published")
	total := p.rows - p.faulty
	if p.fromRow > 1 {
		total = 0 // how many of the rows before were faulty is not known
	}
	stop := m.follow(func() reading { return reading{done: int(p.published.Load()), total: total} })
	err := p.writeAll(ctx, writer, done)
	stop()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	err = errors.Join(err, writer.Close(closing))
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\npublished up to row %d of %d; to go on, give the same command with --campaign %s --from-row %d "+
		"(rows that are published again keep their request ids)",
		err, done.row(), p.rows, p.manifest.options.Campaign, done.row()+1)
}

// writeAll reads the manifest again and writes it in batches.
func (p *publisher) writeAll(ctx context.Context, writer *stream.Writer, done *prefix) error {
	reading, halt := context.WithCancelCause(ctx)
	defer halt(nil)
	writing, release := outlive(ctx, stopGrace)
	defer release()
	var group errgroup.Group
	group.SetLimit(batchesInFlight)
	send := func(b batch) error {
		if err := p.pace.wait(reading, len(b.records)); err != nil {
			return err
		}
		group.Go(func() error {
			patient, cancel := context.WithTimeoutCause(writing, writePatience, errNotTaken)
			defer cancel()
			if err := writer.Write(patient, b.records...); err != nil {
				halt(err)
				return err
			}
			p.published.Add(int64(len(b.records)))
			done.done(b.first, b.last)
			return nil
		})
		return nil
	}
	err := p.batches(send)
	if failed := group.Wait(); failed != nil {
		return failed // err is a consequence
	}
	return err
}

// batches reads the manifest and calls send with its rows, batch by batch.
func (p *publisher) batches(send func(batch) error) error {
	size := p.pace.batch()
	b := batch{first: p.fromRow}
	rows := 0
	err := p.manifest.each(func(row campaign.Row) error {
		rows++
		if len(row.Faults) > 0 && !p.skipInvalid {
			return errChanged
		}
		if row.Number < p.fromRow {
			return nil
		}
		b.last = row.Number
		if len(row.Faults) == 0 {
			record, err := row.Request.Record(p.topic)
			if err != nil {
				return fmt.Errorf("row %d: %w", row.Number, err)
			}
			// The time of the record is that of its publication, also where
			// the row says when it was asked for: an old record could outlive
			// the topic's retention at once.
			record.Partition, record.Time = stream.ByKey, time.Time{}
			b.records = append(b.records, record)
		}
		if len(b.records) < size {
			return nil
		}
		full := b
		b = batch{first: row.Number + 1}
		return send(full)
	})
	if err == nil && rows != p.rows {
		err = errChanged
	}
	if err == nil && b.last >= b.first {
		err = send(b)
	}
	return err
}

// outlive returns a context that ends the grace time after ctx does, with the
// same cause.
func outlive(ctx context.Context, grace time.Duration) (longer context.Context, release func()) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-ctx.Done():
		case <-longer.Done():
			return
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-longer.Done():
		}
	})
	return longer, func() {
		cancel(nil)
		waiting.Wait()
	}
}

func (p *publisher) summary(dry bool) publishSummary {
	s := publishSummary{
		Campaign: p.manifest.options.Campaign, Topic: p.topic, DryRun: dry,
		Rows: p.rows, Faulty: p.faulty, Published: int(p.published.Load()),
	}
	if !dry {
		s.Began = p.began.Format(time.RFC3339)
		s.Seconds = p.took.Seconds()
	}
	return s
}
