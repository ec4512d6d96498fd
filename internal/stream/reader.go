package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"reauth/internal/event"
)

// rangePatience is how long a position must lie past the end before it is
// believed: a leader just elected may not know its high-water mark yet.
const rangePatience = 5 * time.Second

// Reader reads one partition in order, without a group. Fetch is for one
// goroutine at a time; HighWater and Close may be called by any.
type Reader struct {
	client    *Client
	log       *slog.Logger
	topic     string
	partition int

	// next is the position to be delivered, FirstOffset until it is known; ahead
	// are the records from there on that have been fetched.
	next    int64
	ahead   fetched
	located bool      // next has been compared with the partition's extent
	past    time.Time // since when next lies past the end; zero: it does not

	high atomic.Int64

	closed context.Context // ends with ErrClosed
	close  context.CancelCauseFunc
}

// NewReader returns a reader of one partition from next on; FirstOffset means
// from the first record there is. It does not touch the network; Fetch does.
func (c *Client) NewReader(topic string, partition int, next int64) (*Reader, error) {
	if err := c.known(topic); err != nil {
		return nil, fmt.Errorf("reading %s/%d: %w", topic, partition, err)
	}
	if topic == "" || partition < 0 || next < 0 && next != FirstOffset {
		return nil, fmt.Errorf("reading %s/%d from %d: no such place", topic, partition, next)
	}
	r := &Reader{
		client:    c,
		log:       c.log.With(slog.String("topic", topic), slog.Int("partition", partition)),
		topic:     topic,
		partition: partition,
		next:      next,
	}
	r.closed, r.close = context.WithCancelCause(context.Background())
	r.high.Store(-1)
	return r, nil
}

// HighWater returns the last known position after the last record that can be
// read, or -1 before anything is known. It is refreshed with each record, and
// every 5 s while Fetch waits.
func (r *Reader) HighWater() int64 { return r.high.Load() }

// Fetch waits for the next record and returns it. It goes on through lost
// connections and moved leaders, and waits for the end of a transaction. Its errors:
//
//   - ErrControl comes with a record that has a position and no content; move
//     past it. Not every position has a record, so never expect offset+1.
//   - a *GapError says that records were lost to retention. The next Fetch goes
//     on behind the gap.
//   - ErrOffsetOutOfRange: the position lies past the end of the partition.
//   - ErrClosed after Close, and the cause of ctx when that ends.
//   - anything else is a refusal that will not pass, such as missing rights.
func (r *Reader) Fetch(ctx context.Context) (event.Record, error) {
	switch {
	case r.closed.Err() != nil:
		return event.Record{}, fmt.Errorf("reading %s/%d: %w", r.topic, r.partition, ErrClosed)
	case r.first() == r.next && ctx.Err() == nil:
		return r.deliver()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.closed, func() { cancel(ErrClosed) })()
	for try := 0; ; try++ {
		err := r.advance(ctx)
		_, gap := errors.AsType[*GapError](err)
		switch {
		case err == nil:
			return r.deliver()
		case over(ctx):
			return event.Record{}, fmt.Errorf("reading %s/%d: %w", r.topic, r.partition, context.Cause(ctx))
		case gap, errors.Is(err, ErrOffsetOutOfRange):
			return event.Record{}, err
		case errors.Is(err, errIdle):
			try = -1
		default:
			r.client.metrics.fetchErrors.WithLabelValues(r.topic).Inc()
			if forbidden(err) {
				return event.Record{}, fmt.Errorf("reading %s/%d: %w", r.topic, r.partition, err)
			}
			r.log.Warn("fetching goes on after an error", slog.String("reason", errorCode(err)), slog.Any("error", err))
			pause(ctx, backoff(try))
		}
	}
}

// over tells whether a context has ended. A connection ends at the context's deadline,
// too, and may be a moment ahead of it.
func over(ctx context.Context) bool {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

var (
	// errIdle says that there was nothing to read, and that this is as it
	// should be.
	errIdle = errors.New("nothing to read")
	errPast = errors.New("next lies past the end, for now")
)

// first is the position of the first record that is ahead, -1 if there is none, or it
// cannot be read.
func (r *Reader) first() int64 {
	if ok, err := r.ahead.peek(); err == nil && ok {
		return r.ahead.first.record.Offset
	}
	return -1
}

// advance has the next record ahead, for which it waits fetchWait at most.
func (r *Reader) advance(ctx context.Context) error {
	if !r.located {
		if err := r.locate(ctx); err != nil {
			return err
		}
	}
	if r.first() < 0 {
		if err := r.refill(ctx); err != nil {
			return err
		}
	}
	return r.explain(ctx)
}

// refill asks for what there is from next on.
func (r *Reader) refill(ctx context.Context) error {
	began := time.Now()
	got, high, err := r.client.fetch(ctx, r.topic, r.partition, r.next)
	if err != nil {
		r.located = !anyCode(err, kafka.OffsetOutOfRange)
		return err
	}
	r.high.Store(max(r.high.Load(), high))
	r.ahead = got
	if ok, err := r.ahead.peek(); err != nil || ok {
		return err
	}
	if time.Since(began) < fetchWait/2 {
		pause(ctx, fetchPause)
	}
	return errIdle
}

// locate compares next with what the partition has, and settles FirstOffset.
func (r *Reader) locate(ctx context.Context) error {
	first, end, err := r.client.extent(ctx, r.topic, r.partition)
	if err != nil {
		return err
	}
	if r.next == FirstOffset {
		r.next = first
	}
	if r.next > end {
		if r.past.IsZero() {
			r.past = time.Now()
		}
		if time.Since(r.past) < rangePatience {
			return errPast
		}
		return fmt.Errorf("reading %s/%d: %w: next is %d but the partition ends at %d (it was created anew, or lost its last records: reset the group's offset for it)",
			r.topic, r.partition, ErrOffsetOutOfRange, r.next, end)
	}
	r.located, r.past = true, time.Time{}
	if r.next < first {
		return r.skip(first)
	}
	return nil
}

// explain finds out whether the positions between next and the record ahead
// ever had records, or have lost them.
func (r *Reader) explain(ctx context.Context) error {
	to := r.first()
	if to == r.next {
		return nil
	}
	first, err := r.client.First(ctx, r.topic, r.partition)
	if err != nil {
		return err
	}
	if first <= r.next {
		return nil
	}
	return r.skip(to)
}

// deliver hands out the record ahead.
func (r *Reader) deliver() (event.Record, error) {
	d := r.ahead.pop()
	r.next = d.record.Offset + 1
	r.client.metrics.read.WithLabelValues(r.topic).Inc()
	if d.void {
		return d.record, fmt.Errorf("reading %s/%d at %d: %w", r.topic, r.partition, d.record.Offset, ErrControl)
	}
	return d.record, nil
}

// skip moves on to a later position and says what was missed.
func (r *Reader) skip(to int64) *GapError {
	gap := &GapError{Topic: r.topic, Partition: r.partition, From: r.next, To: to}
	r.client.metrics.lost.WithLabelValues(r.topic).Add(float64(to - r.next))
	r.next = to
	return gap
}

// Close ends the reader, and a Fetch that waits, without waiting for a broker.
// It returns nil.
func (r *Reader) Close() error {
	r.close(ErrClosed)
	return nil
}
