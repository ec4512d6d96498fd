package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/event"
)

// ByKey as the partition of a record to be written means: choose it by the key,
// with the hash that Java's client uses, or at random without a key.
const ByKey = -1

// WriterConfig has useful zero values.
type WriterConfig struct {
	// MaxBytes bounds a batch of several records, in bytes. A larger record goes
	// by itself, and its topic's max.message.bytes says whether it is too large.
	// Default 1 MiB.
	MaxBytes int
	// BatchRecords bounds a batch. Default 500.
	BatchRecords int
	// BatchWait is how long after a request the next one begins at the earliest,
	// to be shared by what is written meanwhile; up to four times as long while
	// much is. Default 1 ms.
	BatchWait time.Duration
	// TryTimeout bounds one request. Default Config.Timeout.
	TryTimeout time.Duration
}

// Writer writes records, each once: brokers tell the repeat of a batch, of which
// the acknowledgement got lost, by its number (outbox) and drop it. kafka-go's
// own writer does not number its batches (v0.4.51), and it sends a request for
// each partition, where this one sends one to each broker.
//
// Many goroutines may share a Writer, and should: concurrent Writes share
// requests, whereas one goroutine waits for each of its own. How many may write
// at once is for the caller to bound.
type Writer struct {
	client  *Client
	config  WriterConfig
	log     *slog.Logger
	leaders leaders
	numbers numbers

	mu       sync.Mutex // guards what follows
	boxes    map[place]*outbox
	pending  map[*outbox]struct{} // those that are not empty
	alarm    *time.Timer          // flushes
	alarmAt  time.Time            // zero: it is not set
	next     time.Time            // when the next flush may be
	closing  bool                 // no new Writes
	closed   bool                 // no new flushes
	writing  sync.WaitGroup       // Writes
	flushing sync.WaitGroup       // flushes and requests
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
		config.BatchRecords = 500
	}
	if config.BatchWait == 0 {
		config.BatchWait = time.Millisecond
	}
	if config.TryTimeout == 0 {
		config.TryTimeout = c.config.Timeout
	}
	aborted, abort := context.WithCancelCause(context.Background())
	return &Writer{
		client:  c,
		config:  config,
		log:     c.log,
		leaders: leaders{client: c},
		numbers: numbers{client: c},
		boxes:   make(map[place]*outbox),
		pending: make(map[*outbox]struct{}),
		aborted: aborted,
		abort:   abort,
	}
}

// Write writes records, each to its Topic and Partition, and returns nil when
// all in-sync replicas have all of them. A record without a Time gets the
// present. Errors of the moment are tried again until ctx ends, with back-off.
//
// After any error each record may or may not have been written, and may yet be,
// though not after a later record of this writer in the same partition. Who
// needs it written writes it again, as it was, and may then have it there twice.
// ErrTooLarge says that one of them never will be; what else it returns, but for
// ctx's cause and ErrClosed, are refusals that will not pass either. Records
// written at the same time, by one call or several, keep no order.
func (w *Writer) Write(ctx context.Context, records ...event.Record) error {
	return w.WriteWhile(ctx, func() error { return nil }, records...)
}

// WriteWhile is Write for records that may be written only for a while: before
// each try it asks may, whose error ends it. A try that has begun is not called
// back. may must not block: others' records wait meanwhile.
func (w *Writer) WriteWhile(ctx context.Context, may func() error, records ...event.Record) error {
	if len(records) == 0 {
		return nil
	}
	if !w.enter() {
		return fmt.Errorf("writing: %w", ErrClosed)
	}
	defer w.writing.Done()
	letters, err := w.address(ctx, records)
	if err == nil {
		wr := &write{may: may, left: len(letters), done: make(chan struct{})}
		w.post(wr, letters)
		err = w.await(ctx, wr)
	}
	if err != nil {
		w.count(w.client.metrics.writeFailures, records)
		return fmt.Errorf("writing to %s: %w", records[0].Topic, err)
	}
	w.count(w.client.metrics.written, records)
	return nil
}

// address makes a letter of each record.
func (w *Writer) address(ctx context.Context, records []event.Record) ([]letter, error) {
	letters := make([]letter, len(records))
	for i, record := range records {
		if err := w.client.known(record.Topic); err != nil || record.Topic == "" || record.Partition < ByKey {
			return nil, errors.Join(fmt.Errorf("%q/%d: no such place", record.Topic, record.Partition), err)
		}
		l := newLetter(record)
		if record.Partition == ByKey {
			partition, err := w.choose(ctx, record)
			if err != nil {
				return nil, err
			}
			l.to.partition = partition
		}
		letters[i] = l
	}
	return letters, nil
}

// choose chooses the partition for a record by its key.
func (w *Writer) choose(ctx context.Context, record event.Record) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(w.aborted, func() { cancel(ErrClosed) })()
	return w.leaders.choose(ctx, record)
}

// await returns when all is written, or nothing more will be tried.
func (w *Writer) await(ctx context.Context, wr *write) error {
	select {
	case <-wr.done:
	case <-ctx.Done():
		w.mu.Lock()
		defer w.mu.Unlock()
		wr.stop(context.Cause(ctx))
	}
	return wr.err
}

// count adds each record to its topic's counter.
func (w *Writer) count(counter *prometheus.CounterVec, records []event.Record) {
	for _, record := range records {
		counter.WithLabelValues(record.Topic).Inc()
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
// rest with ErrClosed, and lets go of the requests under way. It returns nil
// when everything was written, or the cause of ctx.
func (w *Writer) Close(ctx context.Context) error {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		w.writing.Wait()
	}()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = fmt.Errorf("closing the writer: %w", context.Cause(ctx))
	}
	w.stopAll()
	<-idle
	w.mu.Lock()
	w.closed = true
	if w.alarm != nil {
		w.alarm.Stop()
	}
	w.mu.Unlock()
	w.flushing.Wait()
	return err
}

// stopAll ends all Writes, and those that are on their way here.
func (w *Writer) stopAll() {
	w.abort(ErrClosed)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.boxes {
		for _, l := range o.waiting {
			l.of.stop(ErrClosed)
		}
		if o.batch == nil {
			continue
		}
		for _, l := range o.batch.letters {
			l.of.stop(ErrClosed)
		}
	}
}
