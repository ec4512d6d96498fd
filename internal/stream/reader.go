package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"reauth/internal/event"
)

const (
	// fetchWait is how long a fetch may take when there is nothing new; it adds
	// no delay to what is. kafka-go v0.4.51 leaves a second of it for the way
	// to the broker and back, but of less than a second only a quarter: with
	// 250 ms, every silence on a busy machine or a long line ended as a timeout
	// and a new connection.
	fetchWait = 5 * time.Second
	// fetchQueue is how many records kafka-go reads ahead. Back-pressure is
	// the caller's: it stops calling Fetch.
	fetchQueue = 8
	// fetchBytes is what one answer may hold, unless a single batch is larger.
	fetchBytes = 1 << 20
	// idleCheck is how long Fetch waits, at most, before it looks for what
	// keeps it waiting: kafka-go v0.4.51 says nothing when its position has been
	// deleted or cut off, and can stand still at a broker that has lost the
	// leadership.
	idleCheck = 10 * time.Second
	// rangePatience is how long a position must lie past the end before it is
	// believed: a leader just elected may not know its high-water mark yet.
	rangePatience = 5 * time.Second
)

// Reader reads one partition in order, without a group. Fetch is for one
// goroutine at a time; HighWater and Close may be called by any.
type Reader struct {
	client    *Client
	log       *slog.Logger
	topic     string
	partition int

	// next is the position to be fetched, FirstOffset until it is known; held
	// is a record that was fetched but is to follow a GapError.
	next     int64
	held     *event.Record
	located  bool      // next has been compared with the partition's extent
	past     time.Time // since when next lies past the end; zero: it does not
	stuckAt  int64     // next at the last idle check that found records waiting; -1: none
	patience patience

	high atomic.Int64

	mu     sync.Mutex // guards the two below
	feed   *feed      // nil: not started
	closed bool
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
		stuckAt:   -1,
	}
	r.high.Store(-1)
	return r, nil
}

// HighWater returns the last known position after the last record that can be
// read, or -1 before anything is known. It is refreshed with each record, and
// every 10 s while Fetch waits.
func (r *Reader) HighWater() int64 { return r.high.Load() }

// Fetch waits for the next record and returns it. It goes on through lost
// connections and moved leaders. Its errors:
//
//   - ErrControl comes with a record that has a position and no content; move
//     past it. Not every position has a record, so never expect offset+1.
//   - a *GapError says that records were lost to retention. The next Fetch goes
//     on behind the gap.
//   - ErrOffsetOutOfRange: the position lies past the end of the partition.
//   - ErrClosed after Close, and the cause of ctx when that ends.
//   - anything else is a refusal that will not pass, such as missing rights.
func (r *Reader) Fetch(ctx context.Context) (event.Record, error) {
	if r.held != nil {
		record := *r.held
		r.held = nil
		return r.deliver(record)
	}
	for try := 0; ; try++ {
		message, err := r.step(ctx)
		_, gap := errors.AsType[*GapError](err)
		switch {
		case err == nil && message.Offset < r.next:
			try = -1 // sent again after a restart
		case err == nil:
			return r.deliver(recordOf(message))
		case ctx.Err() != nil:
			return event.Record{}, fmt.Errorf("reading %s/%d: %w", r.topic, r.partition, context.Cause(ctx))
		case r.isClosed():
			return event.Record{}, fmt.Errorf("reading %s/%d: %w", r.topic, r.partition, ErrClosed)
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

var (
	// errIdle says that there was nothing to read, and that this is as it
	// should be.
	errIdle = errors.New("nothing to read")
	errPast = errors.New("next lies past the end, for now")
)

// step waits for one message, for at most idleCheck, at least half of it.
func (r *Reader) step(ctx context.Context) (kafka.Message, error) {
	if !r.located {
		if err := r.locate(ctx); err != nil {
			return kafka.Message{}, err
		}
	}
	feed, err := r.start()
	if err != nil {
		return kafka.Message{}, err
	}
	waiting := r.patience.within(ctx)
	message, err := feed.reader.FetchMessage(waiting)
	silent := waiting.Err() != nil
	if err != nil {
		r.patience.end()
	}
	switch {
	case err == nil:
		return message, r.explain(ctx, message)
	case ctx.Err() != nil:
		return message, err
	case errors.Is(err, context.DeadlineExceeded) && silent:
		return kafka.Message{}, r.inspect(ctx)
	case errors.Is(err, kafka.OffsetOutOfRange), errors.Is(err, io.EOF):
		// kafka-go's reader has ended; find out where we are.
		r.located = false
	}
	// Start over, with whoever leads now: after some errors kafka-go would go
	// on asking the same broker for ever.
	r.stop()
	return kafka.Message{}, err
}

// locate compares next with what the partition has, and settles FirstOffset.
func (r *Reader) locate(ctx context.Context) error {
	first, end, err := r.client.extent(ctx, r.topic, r.partition)
	if err != nil {
		return err
	}
	r.high.Store(max(r.high.Load(), end))
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
		r.stop()
		return r.skip(first)
	}
	return nil
}

// inspect looks for the reason of a silence: the end of the partition, a gap,
// or a kafka-go that stands still, which is started again the second time that
// it is found at the same position with records waiting.
func (r *Reader) inspect(ctx context.Context) error {
	if err := r.locate(ctx); err != nil {
		return err
	}
	switch {
	case r.high.Load() <= r.next:
		r.stuckAt = -1
	case r.stuckAt == r.next:
		r.log.Warn("reader stood still; starting it again", slog.Int64("offset", r.next), slog.Int64("high_water", r.high.Load()))
		r.client.metrics.restarts.WithLabelValues(r.topic).Inc()
		r.stop()
		r.stuckAt = -1
	default:
		r.stuckAt = r.next
	}
	return errIdle
}

// explain finds out whether the positions between a message and the one before
// ever had records, or have lost them.
func (r *Reader) explain(ctx context.Context, message kafka.Message) error {
	r.high.Store(max(r.high.Load(), message.HighWaterMark))
	if message.Offset <= r.next {
		return nil
	}
	first, err := r.client.First(ctx, r.topic, r.partition)
	if err != nil {
		r.stop() // read it again, when we can tell
		return err
	}
	if first <= r.next {
		return nil
	}
	record := recordOf(message)
	r.held = &record
	return r.skip(message.Offset)
}

func (r *Reader) deliver(record event.Record) (event.Record, error) {
	r.next = record.Offset + 1
	r.client.metrics.read.WithLabelValues(r.topic).Inc()
	if isControl(record) {
		record.Key, record.Value, record.Headers = nil, nil, nil
		return record, fmt.Errorf("reading %s/%d at %d: %w", r.topic, r.partition, record.Offset, ErrControl)
	}
	return record, nil
}

// skip moves on to a later position and says what was missed.
func (r *Reader) skip(to int64) *GapError {
	gap := &GapError{Topic: r.topic, Partition: r.partition, From: r.next, To: to}
	r.client.metrics.lost.WithLabelValues(r.topic).Add(float64(to - r.next))
	r.next = to
	return gap
}

// isControl recognises a transaction marker. kafka-go v0.4.51 hands markers out
// as records and does not say that they are: a version of two bytes and a type
// (0 abort, 1 commit) as key, a version and the coordinator's epoch as value.
// No record of ours has a value of six bytes that begins with a zero.
func isControl(record event.Record) bool {
	key, value := record.Key, record.Value
	return len(key) == 4 && key[0] == 0 && key[1] == 0 && key[2] == 0 && key[3] <= 1 &&
		len(value) == 6 && value[0] == 0 && value[1] == 0 && len(record.Headers) == 0
}

func recordOf(message kafka.Message) event.Record {
	record := event.Record{
		Topic:     message.Topic,
		Partition: message.Partition,
		Offset:    message.Offset,
		Key:       message.Key,
		Value:     message.Value,
		Time:      message.Time,
	}
	for _, header := range message.Headers {
		record.Headers = append(record.Headers, event.Header{Key: header.Key, Value: header.Value})
	}
	return record
}
