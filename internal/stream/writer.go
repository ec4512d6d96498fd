package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"reauth/internal/event"
)

// ByKey as the partition of a record to be written means: choose it by the key,
// with the hash that Java's client uses, or at random without a key.
const ByKey = -1

// WriterConfig has useful zero values.
type WriterConfig struct {
	// MaxBytes bounds a record, and a batch, in bytes, before the broker sees
	// it. Default 1 MiB, as the topics' max.message.bytes.
	MaxBytes int64
	// BatchRecords bounds a batch. Default 32: kafka-go v0.4.51 allocates 150
	// bytes for each that a batch could hold, however few come, and within
	// BatchWait few do.
	BatchRecords int
	// BatchWait is how long a record waits for others to share its batch with;
	// each Write takes that long at least. Default 5 ms.
	BatchWait time.Duration
	// TryTimeout bounds one request. Default Config.Timeout.
	TryTimeout time.Duration
}

// Writer writes records. Many goroutines may share one, and should: concurrent
// Writes share batches, whereas one goroutine waits for each of its own. How
// many may write at once is for the caller to bound, since kafka-go queues
// without a bound while brokers are away.
type Writer struct {
	client *Client
	kafka  *kafka.Writer
	log    *slog.Logger

	// writing counts the Writes under way, which Close waits for: kafka-go
	// v0.4.51 waits for ever when its own Close meets a write that opens a
	// partition.
	mu      sync.Mutex // guards the two below
	closing bool
	writing sync.WaitGroup
	// aborted ends when Close gives up waiting.
	aborted context.Context
	abort   context.CancelCauseFunc
}

// NewWriter returns a writer for any topic of the client.
func (c *Client) NewWriter(config WriterConfig) *Writer {
	if config.MaxBytes == 0 {
		config.MaxBytes = 1 << 20
	}
	if config.BatchRecords == 0 {
		config.BatchRecords = 32
	}
	if config.BatchWait == 0 {
		config.BatchWait = 5 * time.Millisecond
	}
	if config.TryTimeout == 0 {
		config.TryTimeout = c.config.Timeout
	}
	aborted, abort := context.WithCancelCause(context.Background())
	return &Writer{
		client:  c,
		log:     c.log,
		aborted: aborted,
		abort:   abort,
		kafka: &kafka.Writer{
			Addr:         c.kafka.Addr,
			Transport:    c.transport,
			Balancer:     kafka.BalancerFunc(choosePartition),
			RequiredAcks: kafka.RequireAll, // its default is not to wait at all
			// Few tries inside, many outside: inside they cannot be cancelled,
			// and hold up everybody else's records for the same partition.
			MaxAttempts:  3,
			BatchSize:    config.BatchRecords,
			BatchBytes:   config.MaxBytes,
			BatchTimeout: config.BatchWait,
			ReadTimeout:  config.TryTimeout,
			WriteTimeout: config.TryTimeout,
			Logger:       bridge(c.log, slog.LevelDebug, "writer"),
			ErrorLogger:  bridge(c.log, slog.LevelWarn, "writer"),
		},
	}
}

// choosePartition obeys the partition that a record asks for.
func choosePartition(message kafka.Message, partitions ...int) int {
	if partition, ok := message.WriterData.(int); ok && partition != ByKey {
		return partition
	}
	return kafka.Murmur2Balancer{}.Balance(message, partitions...)
}

// Write writes records, each to its Topic and Partition, and returns nil when
// all in-sync replicas have all of them. A record without a Time gets the
// present. Errors of the moment are tried again until ctx ends, with back-off;
// only the records that failed are repeated, unchanged.
//
// After any error each record may or may not have been written, and may yet be:
// who needs it written writes it again, as it was. ErrTooLarge says that one of
// them never will be; what else it returns, but for ctx's cause and ErrClosed,
// are refusals that will not pass either. Records written at the same time, by
// one call or several, keep no order.
func (w *Writer) Write(ctx context.Context, records ...event.Record) error {
	return w.WriteWhile(ctx, func() error { return nil }, records...)
}

// WriteWhile is Write for records that may be written only for a while: before
// each try it asks may, whose error ends it. A try that has begun is not called
// back.
func (w *Writer) WriteWhile(ctx context.Context, may func() error, records ...event.Record) error {
	if !w.enter() {
		return fmt.Errorf("writing: %w", ErrClosed)
	}
	defer w.writing.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(w.aborted, func() { cancel(ErrClosed) })()

	messages, err := w.messages(records)
	if err != nil {
		return err
	}
	for try := 0; len(messages) > 0; try++ {
		if err := may(); err != nil {
			return fmt.Errorf("writing to %s: %w", messages[0].Topic, err)
		}
		failed, err := w.try(ctx, messages)
		if err == nil {
			return nil
		}
		messages = failed
		switch {
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case !refused(err):
			w.retrying(try+1, messages, err)
			if pause(ctx, backoff(try)) {
				continue
			}
			err = errors.Join(context.Cause(ctx), err)
		}
		w.count(w.client.metrics.writeFailures, messages)
		return fmt.Errorf("writing to %s: %w", messages[0].Topic, err)
	}
	return nil
}

// try writes the messages once and returns those that failed and why.
func (w *Writer) try(ctx context.Context, messages []kafka.Message) (failed []kafka.Message, err error) {
	err = w.kafka.WriteMessages(ctx, messages...)
	var each kafka.WriteErrors
	var tooLarge kafka.MessageTooLargeError
	switch {
	case err == nil:
		w.count(w.client.metrics.written, messages)
		return nil, nil
	case errors.As(err, &tooLarge):
		return messages, fmt.Errorf("%w: %d bytes and headers", ErrTooLarge, len(tooLarge.Message.Key)+len(tooLarge.Message.Value))
	case !errors.As(err, &each):
		return messages, err
	}
	var done []kafka.Message
	var faults []error
	for i, fault := range each {
		if anyCode(fault, kafka.MessageSizeTooLarge, kafka.RecordListTooLarge) {
			// It is the batch that was too large. Was it this record?
			fault = w.alone(ctx, messages[i])
		}
		if fault == nil {
			done = append(done, messages[i])
			continue
		}
		failed = append(failed, messages[i])
		faults = append(faults, fault)
	}
	w.count(w.client.metrics.written, done)
	return failed, worst(faults)
}

// worst returns a fault that will not pass, if there is one, else the first.
func worst(faults []error) error {
	for _, fault := range faults {
		if refused(fault) {
			return fault
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return faults[0]
}

// refused tells whether writing again must fail the same way.
func refused(err error) bool {
	return errors.Is(err, ErrTooLarge) || forbidden(err) || anyCode(err,
		kafka.InvalidTopic, kafka.InvalidTimestamp, kafka.PolicyViolation,
		kafka.UnsupportedForMessageFormat, kafka.InvalidRecord)
}

func (w *Writer) messages(records []event.Record) ([]kafka.Message, error) {
	messages := make([]kafka.Message, len(records))
	for i, record := range records {
		if err := w.client.known(record.Topic); err != nil || record.Topic == "" || record.Partition < ByKey {
			return nil, errors.Join(fmt.Errorf("writing to %q/%d: no such place", record.Topic, record.Partition), err)
		}
		messages[i] = kafka.Message{
			Topic:      record.Topic,
			WriterData: record.Partition,
			Key:        record.Key,
			Value:      record.Value,
			Time:       record.Time,
		}
		for _, header := range record.Headers {
			messages[i].Headers = append(messages[i].Headers, kafka.Header{Key: header.Key, Value: header.Value})
		}
		if record.Time.IsZero() {
			messages[i].Time = time.Now()
		}
	}
	return messages, nil
}

// retrying counts, and logs ever more rarely.
func (w *Writer) retrying(try int, messages []kafka.Message, err error) {
	w.count(w.client.metrics.writeRetries, messages)
	if bits.OnesCount(uint(try)) == 1 {
		w.log.Warn("writing again", slog.String("topic", messages[0].Topic), slog.Int("records", len(messages)),
			slog.Int("attempt", try), slog.String("reason", errorCode(err)), slog.Any("error", err))
	}
}

// count adds each message to its topic's counter.
func (w *Writer) count(counter *prometheus.CounterVec, messages []kafka.Message) {
	for _, message := range messages {
		counter.WithLabelValues(message.Topic).Inc()
	}
}

func (w *Writer) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		return false
	}
	w.writing.Add(1)
	return true
}

// Close refuses new Writes, waits for those under way until ctx ends, ends the
// rest with ErrClosed, and gives kafka-go the same bound to send what it has
// queued. It returns nil when everything was sent, or the cause of ctx.
func (w *Writer) Close(ctx context.Context) error {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		w.writing.Wait()
	}()
	select {
	case <-idle:
	case <-ctx.Done():
		w.abort(ErrClosed)
		<-idle
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = w.kafka.Close() // always nil
	}()
	select {
	case <-closed:
		w.abort(nil)
		return nil
	case <-ctx.Done():
		// kafka-go's own tries are bounded, so this goroutine ends.
		return fmt.Errorf("closing the writer: %w", context.Cause(ctx))
	}
}
