package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/stream"
)

// fakeTopics are topics in memory: what is appended can be read, what is
// written is kept.
type fakeTopics struct {
	mu      sync.Mutex
	logs    map[string][]event.Record // by topic/partition
	deleted map[string]int64          // up to which position
	// deposed are logs that are read from a broker that was their leader, and how
	// far it has them. What is written goes to its successor.
	deposed map[string]int64
	more    map[string]chan struct{}
	out     []event.Record
	write   func(recs []event.Record) error // before each write
	opened  map[string]int
	asked   map[string]int           // for positions
	fault   func(topic string) error // of the answers to that
	kept    sync.Map                 // of the first record of each write that took effect
	commits map[string]int64
	muted   []context.Context
	// Nothing is read of the log called held before hold is closed.
	hold chan struct{}
	held string
}

func (f *fakeTopics) holdTopic(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = name
}

// mute makes writes under a context fail, as those of a dead process.
func (f *fakeTopics) mute(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.muted = append(f.muted, ctx)
}

func newFakeTopics() *fakeTopics {
	return &fakeTopics{logs: map[string][]event.Record{}, deleted: map[string]int64{}, deposed: map[string]int64{}, more: map[string]chan struct{}{}, opened: map[string]int{}, asked: map[string]int{}, commits: map[string]int64{}}
}

func logName(topic string, partition int) string { return fmt.Sprintf("%s/%d", topic, partition) }

func (f *fakeTopics) committed(topic string, partition int) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.commits[logName(topic, partition)]
}

// append adds a record with the present as its time.
func (f *fakeTopics) append(rec event.Record) {
	rec.Time = time.Now()
	f.add(rec)
}

// deleteAll is what retention does to a log that nobody writes to.
func (f *fakeTopics) deleteAll(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deleted[name] = int64(len(f.logs[name]))
}

func (f *fakeTopics) add(rec event.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := logName(rec.Topic, rec.Partition)
	rec.Offset, rec.Time = int64(len(f.logs[name])), rec.Time.Truncate(time.Millisecond)
	f.logs[name] = append(f.logs[name], rec)
	f.tell(name)
}

// tell has who waits for more of a log look again; f.mu is held.
func (f *fakeTopics) tell(name string) {
	if c := f.more[name]; c != nil {
		close(c)
		f.more[name] = nil
	}
}

// depose has a log read, for a while, from a broker that has no more of it than is
// there now: it stood still while another was elected, and does not know it yet.
func (f *fakeTopics) depose(name string, lasts time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deposed[name] = int64(len(f.logs[name]))
	time.AfterFunc(lasts, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.deposed, name)
		f.tell(name)
	})
}

// cut takes the last records of a log away, as the election of a leader does that
// lacks them.
func (f *fakeTopics) cut(name string, records int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logs[name] = slices.Clip(f.logs[name][:len(f.logs[name])-records])
}

// readable is what is read of a log; f.mu is held.
func (f *fakeTopics) readable(name string) []event.Record {
	if n, old := f.deposed[name]; old {
		return f.logs[name][:min(n, int64(len(f.logs[name])))]
	}
	return f.logs[name]
}

func (f *fakeTopics) Write(ctx context.Context, recs ...event.Record) error {
	f.mu.Lock()
	before := f.write
	f.mu.Unlock()
	if before != nil && !tellsTheTime(recs[0]) {
		if err := before(recs); err != nil {
			return err
		}
	}
	f.mu.Lock()
	muted := slices.Contains(f.muted, ctx)
	f.mu.Unlock()
	if ctx.Err() != nil || muted {
		return context.Canceled
	}
	f.keep(recs)
	return nil
}

// tellsTheTime is of what replicas write whenever it is time, beside all that a test
// has them do.
func tellsTheTime(rec event.Record) bool {
	s, err := decodeSignal(rec.Value)
	return rec.Topic == "signals" && err == nil && s.Kind == clockKind
}

// errNoAck is the error of a write that may have reached the log: it is tried
// again.
var errNoAck = errors.New("no acknowledgement")

// WriteWhile drops the repeat of what is there, as brokers do.
func (f *fakeTopics) WriteWhile(ctx context.Context, may func() error, recs ...event.Record) error {
	for there := false; ; {
		if err := may(); err != nil || there {
			return err
		}
		if err := f.Write(ctx, recs...); !errors.Is(err, errNoAck) {
			return err
		}
		_, there = f.kept.Load(&recs[0])
	}
}

// keep adds records as a write does.
func (f *fakeTopics) keep(recs []event.Record) {
	f.kept.Store(&recs[0], true)
	for _, rec := range recs {
		if rec.Time.IsZero() {
			rec.Time = time.Now()
		}
		f.add(rec)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out = append(f.out, recs...)
}

// position counts a question about a log; f.mu is held.
func (f *fakeTopics) position(topic string, partition int) error {
	f.asked[logName(topic, partition)]++
	if f.fault != nil {
		return f.fault(topic)
	}
	return nil
}

func (f *fakeTopics) OffsetAt(_ context.Context, topic string, partition int, t time.Time) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.position(topic, partition); err != nil {
		return 0, err
	}
	log := f.readable(logName(topic, partition))
	for _, rec := range log[f.deleted[logName(topic, partition)]:] {
		if !rec.Time.Before(t.Truncate(time.Millisecond)) {
			return rec.Offset, nil
		}
	}
	return int64(len(log)), nil
}

func (f *fakeTopics) End(_ context.Context, topic string, partition int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.position(topic, partition); err != nil {
		return 0, err
	}
	return int64(len(f.readable(logName(topic, partition)))), nil
}

func (f *fakeTopics) written(topic string) (recs []event.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.out {
		if r.Topic == topic {
			recs = append(recs, r)
		}
	}
	return recs
}

func (f *fakeTopics) open(topic string, partition int, next int64) (Reader, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened[logName(topic, partition)]++
	return &fakeReader{f, logName(topic, partition), max(0, next)}, nil
}

// markerHeader makes a record the marker of a transaction.
const markerHeader = "marker"

type fakeReader struct {
	topics *fakeTopics
	name   string
	next   int64
}

func (r *fakeReader) Fetch(ctx context.Context) (event.Record, error) {
	f := r.topics
	for {
		f.mu.Lock()
		if f.held == r.name {
			hold := f.hold
			f.mu.Unlock()
			select {
			case <-hold:
			case <-ctx.Done():
				return event.Record{}, ctx.Err()
			}
			f.mu.Lock()
		}
		if first := f.deleted[r.name]; r.next < first {
			gap := &stream.GapError{From: r.next, To: first}
			r.next = first
			f.mu.Unlock()
			return event.Record{}, gap
		}
		if log := f.readable(r.name); r.next < int64(len(log)) {
			rec := log[r.next]
			r.next++
			f.mu.Unlock()
			if _, marker := rec.Header(markerHeader); marker {
				return event.Record{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Time: rec.Time}, stream.ErrControl
			}
			return rec, nil
		}
		if f.more[r.name] == nil {
			f.more[r.name] = make(chan struct{})
		}
		more := f.more[r.name]
		f.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return event.Record{}, ctx.Err()
		}
	}
}

func (r *fakeReader) HighWater() int64 {
	r.topics.mu.Lock()
	defer r.topics.mu.Unlock()
	return int64(len(r.topics.readable(r.name)))
}

func (r *fakeReader) Close() error { return nil }
