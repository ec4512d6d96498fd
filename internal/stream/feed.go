package stream

import (
	"log/slog"
	"sync/atomic"

	"github.com/segmentio/kafka-go"
)

// feed is one run of kafka-go's reader, over connections that can be cut:
// closing it would otherwise wait for a fetch, or for a broker that is gone.
type feed struct {
	reader *kafka.Reader
	lines  *lines
	ending *atomic.Bool // its errors are our own doing from now on
}

func (r *Reader) newFeed() *feed {
	var ending atomic.Bool
	warn, debug := bridge(r.log, slog.LevelWarn, "reader"), bridge(r.log, slog.LevelDebug, "reader")
	lines := newLines(r.client.dialer.dial)
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers:               r.client.config.Brokers,
		Topic:                 r.topic,
		Partition:             r.partition,
		Dialer:                r.client.groupDialer(lines),
		QueueCapacity:         fetchQueue,
		MinBytes:              1,
		MaxBytes:              fetchBytes,
		MaxWait:               fetchWait,
		ReadBatchTimeout:      r.client.config.Timeout,
		ReadLagInterval:       -1, // else a loop in the background asks for it
		ReadBackoffMax:        backoffMost,
		OffsetOutOfRangeError: true, // else it tries silently for ever
		Logger:                debug,
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) {
			if ending.Load() {
				debug.Printf(format, args...)
				return
			}
			warn.Printf(format, args...)
		}),
	})
	return &feed{reader: reader, lines: lines, ending: &ending}
}

func (f *feed) close() {
	f.ending.Store(true)
	f.lines.cut()
	_ = f.reader.Close() // always nil
}

// start returns the feed, which it starts at next unless it runs.
func (r *Reader) start() (*feed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if r.feed == nil {
		started := r.newFeed()
		// StartOffset counts in groups only; this is how to say where.
		if err := started.reader.SetOffset(r.next); err != nil {
			started.close()
			return nil, err
		}
		r.feed = started
	}
	return r.feed, nil
}

// stop ends the feed; the next start begins at next.
func (r *Reader) stop() {
	r.mu.Lock()
	ending := r.feed
	r.feed = nil
	r.mu.Unlock()
	if ending != nil {
		ending.close()
	}
}

// Close ends the reader, and a Fetch that waits, without waiting for a broker.
// It returns nil.
func (r *Reader) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	return nil
}

func (r *Reader) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}
