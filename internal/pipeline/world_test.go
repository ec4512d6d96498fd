package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"reauth/internal/event"
	"reauth/internal/storage"
	"reauth/internal/stream"
	"reauth/internal/vendors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a pipeline with everything around it in memory, on fake time.
type world struct {
	*Pipeline
	t      *testing.T
	vendor *fakeVendor
	topics *fakeTopics
	selfie func(ref storage.Ref) error
	ended  chan error
	halt   context.CancelFunc
}

// setup starts a pipeline that owns shards 0 to 2 of 3. change may be nil.
func setup(t *testing.T, change func(*Config, *vendors.LaneConfig)) *world {
	t.Helper()
	w := join(t, newFakeTopics(), &fakeVendor{}, change)
	w.assign([]int{0, 1, 2}, nil, nil)
	return w
}

// join starts a pipeline that owns no shard, on topics and a vendor that others
// may share.
func join(t *testing.T, topics *fakeTopics, vendor vendors.Adapter, change func(*Config, *vendors.LaneConfig)) *world {
	t.Helper()
	w := &world{t: t, topics: topics, ended: make(chan error, 1)}
	switch v := vendor.(type) {
	case *fakeVendor:
		w.vendor = v
	case findingVendor:
		w.vendor = v.fakeVendor
	}
	replicas++
	cfg := Config{
		Topics: Topics{Requests: "requests", Priority: "priority", Results: "results", Ledger: "ledger", Dead: "dead", Signals: "signals"},
		Group:  "faceauth", Source: "/reauth/faceauth",
		Rules: event.Rules{DefaultVendor: event.Argos, Vendors: []event.Vendor{event.Argos}, Buckets: []string{"selfies"}},
		Retry: RetryConfig{MaxAttempts: 3, Initial: time.Second, Max: time.Minute, Budget: 1},
		Owner: fmt.Sprint("replica-", replicas), Window: 24 * time.Hour, ClaimMargin: 8 * time.Second, LongestCall: 30 * time.Second,
		MaxOpen: 100, MaxBacklog: 1 << 20, Grace: 30 * time.Second, StuckRetry: 10 * time.Second,
	}
	lane := vendors.LaneConfig{
		PerSecond: 1000, Headroom: .02, MaxInFlight: 64, Timeout: 30 * time.Second,
		Breaker: vendors.BreakerConfig{Ratio: .9, MinCalls: 100, Window: 30 * time.Second, Open: 5 * time.Second, Probes: 1},
		Logger:  slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg, &lane)
	}
	w.Pipeline = New(cfg, Parts{
		Lanes:       map[event.Vendor]*vendors.Lane{event.Argos: vendors.NewLane(vendor, lane)},
		FetchSelfie: w.fetchSelfie,
		Writer:      w.topics,
		OpenReader:  w.topics.open,
		Offsets:     w.topics,
		Logger:      slog.New(slog.DiscardHandler),
	})
	ctx, halt := context.WithCancel(context.Background())
	w.halt = halt
	go func() { w.ended <- w.Run(ctx) }()
	return w
}

// pair is two replicas on the same topics and vendor: the first owns all
// shards, until the second takes them over.
func pair(t *testing.T, vendor vendors.Adapter, change func(*Config, *vendors.LaneConfig)) (a, b *world) {
	topics := newFakeTopics()
	a, b = join(t, topics, vendor, change), join(t, topics, vendor, change)
	a.assign([]int{0, 1, 2}, nil, nil)
	return a, b
}

// replicas numbers the pipelines of this process.
var replicas int

// kill ends the pipeline at once: nothing that it was about to do is done.
func (w *world) kill() {
	w.topics.mute(w.work)
	w.stopAt(errors.New("killed"))
	<-w.ended
}

func (w *world) stopAt(cause error) {
	w.cutOff(cause)
	w.Pipeline.stop(cause)
}

// assign starts a generation; a lost shard that comes back is in gained, too.
func (w *world) assign(gained, kept, lost []int) {
	next := map[int]map[string]int64{}
	for _, id := range append(append([]int(nil), gained...), kept...) {
		next[id] = map[string]int64{"requests": w.topics.committed("requests", id), "priority": w.topics.committed("priority", id)}
	}
	w.Assign(stream.Assignment{Shards: append(append([]int(nil), kept...), gained...), Total: 3,
		Gained: gained, Kept: kept, Lost: lost, Next: next})
}

// shut ends the pipeline in good order and returns what Run returned.
func (w *world) shut() error {
	w.halt()
	return <-w.ended
}

// next is what the pipeline would commit of a shard's requests.
func (w *world) next(shard int) int64 {
	n, ok := w.Next()["requests"][shard]
	if !ok {
		return -1
	}
	return n
}

func (w *world) fetchSelfie(_ context.Context, ref storage.Ref) (Selfie, error) {
	if w.selfie != nil {
		if err := w.selfie(ref); err != nil {
			return nil, err
		}
	}
	return fakeSelfie{}, nil
}

// send puts a request on a shard. Its subject is the submission given.
func (w *world) send(shard int, id, submission string, change ...func(*event.Request)) {
	r := event.Request{RequestID: id, SubmissionID: submission, SelfieKey: "selfies/" + id + ".jpg"}
	for _, c := range change {
		c(&r)
	}
	value, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.topics.append(event.Record{Topic: "requests", Partition: shard, Key: []byte(id), Value: value})
}

// results returns the published results, by request id in the order of publication.
func (w *world) results() (all []event.Result) {
	for _, rec := range w.topics.written("results") {
		r, err := event.DecodeResult(rec)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// settle lets everything happen that can happen within d.
func settle(d time.Duration) {
	time.Sleep(d) // fake time
	synctest.Wait()
}

type fakeSelfie struct{}

func (fakeSelfie) Size() int64         { return 4 }
func (fakeSelfie) ContentType() string { return "image/jpeg" }
func (fakeSelfie) Reader() io.Reader   { return bytes.NewReader([]byte("jpeg")) }
func (fakeSelfie) Body() io.ReadCloser { return io.NopCloser(bytes.NewReader([]byte("jpeg"))) }
func (fakeSelfie) SHA256() string      { return fmt.Sprintf("%064d", 7) }
func (fakeSelfie) Version() string     { return "v-7" }
func (fakeSelfie) Release()            {}

// fakeVendor approves after delay, unless answer says otherwise.
type fakeVendor struct {
	mu     sync.Mutex
	delay  time.Duration
	answer func(c vendors.Call, nth int) (vendors.Verdict, error)
	check  error
	calls  []string // submission ids, as called
	times  []time.Time
	busy   map[string]int
	most   int                          // calls at once for one subject
	kept   map[string][]vendors.Verdict // what it charged, by subject
	asked  int
	// listing is how long it takes to say what it did.
	listing time.Duration
	// refusal is the answer to the next question, and deaf to every one while set.
	refusal, deaf error
}

func (v *fakeVendor) Name() event.Vendor { return event.Argos }
func (v *fakeVendor) Capabilities() vendors.Capabilities {
	return vendors.Capabilities{NeedsSelfie: true}
}

func (v *fakeVendor) Check(context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.check
}

func (v *fakeVendor) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

func (v *fakeVendor) Authenticate(ctx context.Context, c vendors.Call) (vendors.Verdict, error) {
	v.mu.Lock()
	v.calls = append(v.calls, c.SubmissionID)
	v.times = append(v.times, time.Now())
	if v.busy == nil {
		v.busy = map[string]int{}
	}
	v.busy[c.SubmissionID]++
	v.most = max(v.most, v.busy[c.SubmissionID])
	nth, delay, answer := len(v.calls), v.delay, v.answer
	v.mu.Unlock()
	defer v.set(func() { v.busy[c.SubmissionID]-- })
	reference := fmt.Sprint("auth-", c.SubmissionID)
	v.set(func() {
		if v.kept == nil {
			v.kept = map[string][]vendors.Verdict{}
		}
		v.kept[c.SubmissionID] = append(v.kept[c.SubmissionID], vendors.Verdict{
			Outcome: event.Approved, Reference: reference, Liveness: event.LivenessNone, At: time.Now()})
	})
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.Transient, Unknown: true, Err: ctx.Err()}
	}
	if answer != nil {
		return answer(c, nth)
	}
	return vendors.Verdict{Outcome: event.Approved, Reference: reference, Liveness: event.LivenessNone}, nil
}

// findingVendor is a vendor that can be asked what it did.
type findingVendor struct{ *fakeVendor }

func (v findingVendor) Find(ctx context.Context, calls []vendors.Call, since time.Time, turn vendors.Turn) (found [][]vendors.Verdict, _ error) {
	err := turn(ctx, func(context.Context) error {
		v.mu.Lock()
		refusal := cmp.Or(v.deaf, v.refusal)
		v.refusal = nil
		v.mu.Unlock()
		if refusal != nil {
			return refusal
		}
		if v.listing > 0 {
			time.Sleep(v.listing) // fake time
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.asked++
		for _, c := range calls {
			var mine []vendors.Verdict
			for _, done := range v.kept[c.SubmissionID] {
				if !done.At.Before(since) {
					mine = append(mine, done)
				}
			}
			found = append(found, mine)
		}
		return nil
	})
	return found, err
}

func (v *fakeVendor) called() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.calls...)
}

// fakeTopics are topics in memory: what is appended can be read, what is
// written is kept.
type fakeTopics struct {
	mu      sync.Mutex
	logs    map[string][]event.Record // by topic/partition
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

// commit notes what a pipeline would commit, as its member does.
func (w *world) commit() {
	next := w.Next()
	w.topics.mu.Lock()
	defer w.topics.mu.Unlock()
	for topic, partitions := range next {
		for partition, n := range partitions {
			w.topics.commits[logName(topic, partition)] = n
		}
	}
}

func newFakeTopics() *fakeTopics {
	return &fakeTopics{logs: map[string][]event.Record{}, more: map[string]chan struct{}{}, opened: map[string]int{}, asked: map[string]int{}, commits: map[string]int64{}}
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

func (f *fakeTopics) add(rec event.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := logName(rec.Topic, rec.Partition)
	rec.Offset, rec.Time = int64(len(f.logs[name])), rec.Time.Truncate(time.Millisecond)
	f.logs[name] = append(f.logs[name], rec)
	if c := f.more[name]; c != nil {
		close(c)
		f.more[name] = nil
	}
}

func (f *fakeTopics) Write(ctx context.Context, recs ...event.Record) error {
	f.mu.Lock()
	before := f.write
	f.mu.Unlock()
	if before != nil {
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

// loseLease is a write that has no acknowledgement when the lease, and every claim,
// have ended; the records may have reached the log.
func (w *world) loseLease(recs []event.Record, reached bool) error {
	if reached {
		w.topics.keep(recs)
	}
	w.Suspend(time.Now(), context.Canceled)
	time.Sleep(2 * time.Minute)
	return errNoAck
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
	log := f.logs[logName(topic, partition)]
	for _, rec := range log {
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
	return int64(len(f.logs[logName(topic, partition)])), nil
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
		if log := f.logs[r.name]; r.next < int64(len(log)) {
			rec := log[r.next]
			r.next++
			f.mu.Unlock()
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
	return int64(len(r.topics.logs[r.name]))
}

func (r *fakeReader) Close() error { return nil }
