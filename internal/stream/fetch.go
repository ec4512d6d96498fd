package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"

	"reauth/internal/event"
)

const (
	// fetchWait is how long the leader may wait for something new before it
	// answers; it adds no delay to what is.
	fetchWait = 5 * time.Second
	// fetchBytes is what one answer may hold, unless a single batch is larger.
	// What a reader's user has no room for yet waits here, so many partitions of
	// a long backlog cost it each.
	fetchBytes = 256 << 10
	// fetchPause follows an answer without records that came at once.
	fetchPause = 100 * time.Millisecond
)

// delivery is a record on its way to who reads it.
type delivery struct {
	record event.Record
	// void: a transaction marker, or a record of a transaction that was aborted,
	// of which only the position and the time are left.
	void bool
}

// fetched is what the leader answered. Records are copied out of its pages one by one,
// as they are asked for: with all partitions read at once, as after a start, copies
// of all that is fetched would double the memory. The zero value has none.
type fetched struct {
	topic     string
	partition int
	next      int64 // what is before it was not asked for
	batches   []protocol.RecordReader
	aborted   aborts
	first     delivery // of those that are left, if it has been copied yet
	copied    bool
}

// fetch asks the leader for what there is from a position on, and returns what has
// been decided: nothing of a transaction that is still open, nor what lies behind it.
// high is where that ends. kafka-go's own reader (v0.4.51) hands out what was aborted
// like anything else, and does not say what is a marker.
func (c *Client) fetch(ctx context.Context, topic string, partition int, next int64) (got fetched, high int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWait+c.config.Timeout)
	defer cancel()
	answer, err := c.transport.RoundTrip(ctx, c.kafka.Addr, &fetch.Request{
		ReplicaID:      -1,
		MaxWaitTime:    int32(fetchWait.Milliseconds()),
		MinBytes:       1,
		MaxBytes:       fetchBytes,
		IsolationLevel: int8(kafka.ReadCommitted),
		SessionEpoch:   -1, // no session
		Topics: []fetch.RequestTopic{{Topic: topic, Partitions: []fetch.RequestPartition{{
			Partition: int32(partition), CurrentLeaderEpoch: -1, FetchOffset: next, LogStartOffset: -1, PartitionMaxBytes: fetchBytes,
		}}}},
	})
	if err != nil {
		return fetched{}, 0, fmt.Errorf("fetching: %w", placed(err))
	}
	found := answer.(*fetch.Response)
	if err := codeError(found.ErrorCode, ""); err != nil {
		return fetched{}, 0, fmt.Errorf("fetching: %w", err)
	}
	if len(found.Topics) == 0 || len(found.Topics[0].Partitions) == 0 {
		return fetched{}, 0, fmt.Errorf("fetching: %w", kafka.UnknownTopicOrPartition)
	}
	p := &found.Topics[0].Partitions[0]
	if err := codeError(p.ErrorCode, ""); err != nil {
		return fetched{}, 0, fmt.Errorf("fetching: %w", err)
	}
	high = p.LastStableOffset
	if high < 0 {
		high = p.HighWatermark // of a leader that knows no transactions
	}
	got = fetched{topic: topic, partition: partition, next: next, aborted: aborts{ahead: p.AbortedTransactions}}
	if set, ok := p.RecordSet.Records.(*protocol.RecordStream); ok {
		got.batches = set.Records
	}
	return got, high, nil
}

// peek has the first record that is left copied, and is false if there is none. After
// an error the rest cannot be read.
func (f *fetched) peek() (ok bool, err error) {
	for !f.copied && len(f.batches) > 0 {
		batch := f.batches[0]
		r, err := batch.ReadRecord()
		switch {
		case errors.Is(err, io.EOF):
			f.batches = f.batches[1:]
			continue
		case err == nil:
			err = f.copy(batch, r)
			closeBytes(r)
		}
		if err != nil {
			f.batches = nil
			return false, fmt.Errorf("decoding what was fetched: %w", err)
		}
	}
	return f.copied, nil
}

// pop takes the first record away.
func (f *fetched) pop() (first delivery) {
	first, f.first, f.copied = f.first, delivery{}, false
	return first
}

// copy makes a record of a batch the first one, if it was asked for: batches are sent
// whole.
func (f *fetched) copy(batch protocol.RecordReader, r *protocol.Record) error {
	void := f.aborted.holds(batch, r)
	if r.Offset < f.next {
		return nil
	}
	f.first = delivery{event.Record{Topic: f.topic, Partition: f.partition, Offset: r.Offset, Time: timeOf(r)}, void}
	if !void {
		if err := fill(&f.first.record, r); err != nil {
			return err
		}
	}
	f.copied = true
	return nil
}

// timeOf returns a record's time, which its producer could choose freely. One that RFC
// 3339 has no form for, as of a producer that takes microseconds for milliseconds, counts
// as none, which Kafka writes as -1 ms: the ledger could not keep it.
func timeOf(r *protocol.Record) time.Time {
	if year := r.Time.Year(); year < 1 || year > 9999 {
		return time.UnixMilli(-1)
	}
	return r.Time
}

// closeBytes gives a record's memory back.
func closeBytes(r *protocol.Record) {
	for _, part := range []protocol.Bytes{r.Key, r.Value} {
		if part != nil {
			_ = part.Close() // always nil
		}
	}
}

// fill copies what a record holds.
func fill(record *event.Record, r *protocol.Record) (err error) {
	if record.Key, err = protocol.ReadAll(r.Key); err != nil {
		return err
	}
	if record.Value, err = protocol.ReadAll(r.Value); err != nil {
		return err
	}
	record.Headers = slices.Grow(record.Headers, len(r.Headers))
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, event.Header{Key: h.Key, Value: h.Value})
	}
	return nil
}

// aborts follows the aborted transactions of an answer through its batches, which
// must come in their order.
type aborts struct {
	ahead []fetch.ResponseTransaction // that have not begun yet
	begun map[int64]struct{}          // the producers of those that have
}

// holds tells whether a record of a batch has only a position: it is a marker, or of
// an aborted transaction. A producer's transaction lasts from the first batch that the
// answer names to its next marker.
func (a *aborts) holds(batch protocol.RecordReader, r *protocol.Record) (void bool) {
	switch b := batch.(type) {
	case *protocol.ControlBatch:
		a.begin(r.Offset)
		delete(a.begun, b.ProducerID)
		return true
	case *protocol.RecordBatch:
		a.begin(r.Offset)
		_, void = a.begun[b.ProducerID]
		return void && b.Attributes.Transactional()
	}
	return false
}

// begin has the transactions begun whose first record is not behind a position.
func (a *aborts) begin(position int64) {
	ahead := a.ahead[:0]
	for _, t := range a.ahead {
		if t.FirstOffset > position {
			ahead = append(ahead, t)
			continue
		}
		if a.begun == nil {
			a.begun = make(map[int64]struct{})
		}
		a.begun[t.ProducerID] = struct{}{}
	}
	a.ahead = ahead
}
