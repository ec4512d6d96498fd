package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"reauth/internal/campaign"
	"reauth/internal/connect"
	"reauth/internal/event"
	"reauth/internal/stream"
)

const (
	// redriveSkew is how far the clocks of consumers, which say when a request
	// failed, and of whoever sends back may be apart.
	redriveSkew = 10 * time.Minute
	// redrivesInFlight are written at a time; writes that wait together share
	// batches.
	redrivesInFlight = 100
)

// redriver sends dead letters back. It keeps some 200 bytes for each that the
// filter chooses.
type redriver struct {
	deadLetters
	requests []string // topics
	guard    *campaign.RedriveGuard
	pace     pacer

	chosen   []campaign.Redrive // by partition and position
	looked   map[place]int64    // how far the guard has seen the topics of requests
	plan     []campaign.Redrive // those of chosen that are to be sent
	hindered map[campaign.Hindrance]int

	took           time.Duration
	sent, tooLarge atomic.Int64
	deleted        int // by the retention, before they were sent
}

// choose reads the dead letters and plans which are to be sent.
func (r *redriver) choose(ctx context.Context) error {
	spans, err := r.spans(ctx)
	if err != nil {
		return err
	}
	err = r.each(ctx, spans, func(d campaign.DeadLetter) error {
		r.chosen = append(r.chosen, d.Redrive())
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.findStarts(ctx); err != nil {
		return err
	}
	return r.look(ctx)
}

// findStarts finds out from where on the topics of requests can hold what was
// sent back after one of the chosen dead letters.
func (r *redriver) findStarts(ctx context.Context) error {
	earliest := make(map[int]time.Time) // by partition
	for _, c := range r.chosen {
		if at, ok := earliest[c.Position.Partition]; !ok || c.FailedAt.Before(at) {
			earliest[c.Position.Partition] = c.FailedAt
		}
	}
	var places []place
	for _, p := range r.places(r.requests...) {
		if _, ok := earliest[p.partition]; ok {
			places = append(places, p)
		}
	}
	var err error
	r.looked, err = lookUp(ctx, places, func(ctx context.Context, p place) (int64, error) {
		return r.client.OffsetAt(ctx, p.topic, p.partition, earliest[p.partition].Add(-redriveSkew))
	})
	if err != nil {
		return err
	}
	return r.findLost(ctx, places)
}

// findLost tells the guard from when on the places have lost nothing.
func (r *redriver) findLost(ctx context.Context, places []place) error {
	spans, err := r.scanner.spans(ctx, places, time.Time{})
	if err != nil {
		return err
	}
	for _, sp := range spans {
		if sp.next == 0 {
			continue
		}
		since := time.Now() // nothing is left
		err := r.scan(ctx, sp, func(rec event.Record) error {
			since = rec.Time.Add(redriveSkew)
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		r.guard.KeptSince(sp.topic, sp.partition, since)
	}
	return nil
}

// look reads on in the topics of requests for what was sent back, and plans.
func (r *redriver) look(ctx context.Context) error {
	var places []place
	for p := range r.looked {
		places = append(places, p)
	}
	ends, err := r.ends(ctx, places)
	if err != nil {
		return err
	}
	var spans []span
	for p, next := range r.looked {
		spans = append(spans, span{p, next, ends[p]})
	}
	err = r.scanAll(ctx, spans, func(rec event.Record) error {
		r.guard.See(rec)
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking for what was sent back already: %w", err)
	}
	r.looked = ends
	r.plan, r.hindered = r.guard.Plan(r.chosen)
	return nil
}

// warnOfCharges tells of dead letters whose call may have been made.
func (r *redriver) warnOfCharges() {
	held := 0
	for _, c := range r.plan {
		if c.Reason == event.UnknownOutcome {
			held++
		}
	}
	if held > 0 {
		fmt.Fprintf(r.messages, "%s held because nobody knows whether the call was made: "+
			"sent back, it is made again, and the vendor may charge for both\n", count(held, "dead letter"))
	}
}

var errNotAll = errors.New("some dead letters were not sent back")

// send sends what is planned. After an error it says how to go on.
func (r *redriver) send(ctx context.Context, client *stream.Client) error {
	began := time.Now()
	writer := client.NewWriter(stream.WriterConfig{MaxBytes: connect.MaxRecordBytes})
	m := newMeter(r.messages, "sent back")
	stop := m.follow(func() reading { return reading{done: int(r.sent.Load()), total: len(r.plan)} })
	err := r.sendAll(ctx, writer)
	stop()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	err = errors.Join(err, writer.Close(closing))
	r.took = time.Since(began)
	switch {
	case err != nil:
		return fmt.Errorf("%w\nsent back %d of %d; to go on, give the same command again: it leaves out what was sent",
			err, r.sent.Load(), len(r.plan))
	case int(r.sent.Load()) < len(r.plan):
		return errNotAll
	}
	return nil
}

// sendAll reads the planned dead letters again, one partition after the other,
// and writes their originals.
func (r *redriver) sendAll(ctx context.Context, writer *stream.Writer) error {
	reading, halt := context.WithCancelCause(ctx)
	defer halt(nil)
	writing, release := outlive(ctx, stopGrace)
	defer release()
	var group errgroup.Group
	group.SetLimit(redrivesInFlight)
	send := func(dead event.Record) error {
		if err := r.pace.wait(reading, 1); err != nil {
			return err
		}
		record, err := event.Redrive(dead, r.requests...)
		if err != nil {
			return err
		}
		group.Go(func() error {
			err := r.write(writing, writer, record, dead)
			if err != nil {
				halt(err)
			}
			return err
		})
		return nil
	}
	var err error
	for rest := r.plan; len(rest) > 0 && err == nil; {
		n := 1
		for n < len(rest) && rest[n].Position.Partition == rest[0].Position.Partition {
			n++
		}
		err = r.sendPartition(reading, rest[:n], send)
		rest = rest[n:]
	}
	if failed := group.Wait(); failed != nil {
		return failed // err is a consequence
	}
	return err
}

// sendPartition calls send with the dead letters of one partition that are in
// the list.
func (r *redriver) sendPartition(ctx context.Context, list []campaign.Redrive, send func(event.Record) error) error {
	first, last := list[0].Position, list[len(list)-1].Position
	err := r.scan(ctx, span{place{r.topic, first.Partition}, first.Offset, last.Offset + 1}, func(rec event.Record) error {
		for len(list) > 0 && list[0].Position.Offset < rec.Offset {
			list = list[1:] // deleted
			r.deleted++
		}
		if len(list) == 0 || list[0].Position.Offset > rec.Offset {
			return nil
		}
		list = list[1:]
		return send(rec)
	})
	if err == nil {
		r.deleted += len(list)
	}
	return err
}

// write writes one record. One that is too large for its topic is reported and
// counted.
func (r *redriver) write(ctx context.Context, writer *stream.Writer, record, dead event.Record) error {
	patient, cancel := context.WithTimeoutCause(ctx, writePatience, errNotTaken)
	defer cancel()
	err := writer.Write(patient, record)
	switch {
	case errors.Is(err, stream.ErrTooLarge):
		r.tooLarge.Add(1)
		fmt.Fprintf(r.messages, "%s was not sent back: %v; raise the topic's max.message.bytes\n", positionText(positionOf(dead)), err)
		return nil
	case err != nil:
		return err
	}
	r.sent.Add(1)
	return nil
}

func (r *redriver) summary(dry bool) redriveSummary {
	s := redriveSummary{
		DryRun: dry, Chosen: len(r.chosen), Planned: len(r.plan), Hindered: r.hindered,
		Sent: int(r.sent.Load()), TooLarge: int(r.tooLarge.Load()), Deleted: r.deleted,
		Seconds: r.took.Seconds(), max: r.guard.Max(),
	}
	counts := make(map[redriveGroup]int)
	for _, c := range r.plan {
		counts[redriveGroup{Reason: c.Reason, Topic: c.Origin.Topic}]++
	}
	s.Plan = groupsOf(counts)
	return s
}
