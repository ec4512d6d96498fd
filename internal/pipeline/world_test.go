package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	latest fakeSelfie // what is current at every key
	ended  chan error
	halt   context.CancelFunc
}

// perSecond is a limit of so many calls per second.
func perSecond(n int) []vendors.Window { return []vendors.Window{{Count: n, Per: time.Second}} }

// setup starts a pipeline that owns shards 0 to 2 of 3, and has them restored. change
// may be nil.
func setup(t *testing.T, change func(*Config, *vendors.LaneConfig)) *world {
	t.Helper()
	w := join(t, newFakeTopics(), &fakeVendor{}, change)
	w.assign([]int{0, 1, 2}, nil, nil)
	synctest.Wait()
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
		Windows: perSecond(1000), Headroom: .02, MaxInFlight: 64, Timeout: 30 * time.Second,
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
// shards, and has them restored, until the second takes them over.
func pair(t *testing.T, vendor vendors.Adapter, change func(*Config, *vendors.LaneConfig)) (a, b *world) {
	topics := newFakeTopics()
	a, b = join(t, topics, vendor, change), join(t, topics, vendor, change)
	a.assign([]int{0, 1, 2}, nil, nil)
	synctest.Wait()
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
	return w.latest, nil
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
