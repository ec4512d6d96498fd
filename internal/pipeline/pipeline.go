package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/stream"
	"reauth/internal/vendors"
)

// Config is what a pipeline needs to know.
type Config struct {
	Topics Topics
	// Group and Source stand in dead letters and results.
	Group, Source string
	Rules         event.Rules
	Retry         RetryConfig
	// MaxOpen bounds the requests that one shard may have open, MaxBacklog
	// the bytes of all open ones.
	MaxOpen    int
	MaxBacklog int64
	// MaxHeld is how many requests of paused campaigns are parked, but for those
	// under way when so many are; 0 stands for 16384. Further ones stay open, and
	// count in MaxOpen.
	MaxHeld int
	// Grace is how long calls at the vendor may go on after a stop.
	Grace time.Duration
	// Owner names this process in claims.
	Owner string
	// Window is how long an answered request id is remembered.
	Window time.Duration
	// RequestsKept is how long a request may lie on its topic until it is read: for
	// so long a withdrawal is kept, and for Window if that is longer.
	RequestsKept time.Duration
	// ClaimMargin is how much longer a claim lasts than its call: see claim.go.
	ClaimMargin time.Duration
	// LongestCall is the longest timeout of all lanes.
	LongestCall time.Duration
	// Spend says what calls cost, and how much may be spent.
	Spend SpendConfig
	// FollowUps is what is done after the verdict, by vendor. MaxFollowUps is how
	// many requests of the whole group something may be left to be done about,
	// each shard having an equal part: at more, no request of such a vendor is
	// begun. 0 stands for 250000.
	FollowUps    map[event.Vendor]FollowUpConfig
	MaxFollowUps int
	// HoldUnknown gives up on requests whose call may have been made, where
	// the vendor cannot be asked, instead of repeating the call.
	HoldUnknown bool
	// StuckRetry is the wait before a shard whose topic cannot be read is
	// tried again, and how long what a topic should have is waited for.
	StuckRetry time.Duration
}

// Topics are the names of the topics; Priority may be empty.
type Topics struct {
	Requests, Priority, Results, Ledger, Dead, Signals string
}

// Parts are what a pipeline is put together from.
type Parts struct {
	Lanes map[event.Vendor]*vendors.Lane
	// FetchSelfie gets a selfie into bounded memory; every error is a
	// *storage.Error.
	FetchSelfie func(ctx context.Context, ref storage.Ref) (Selfie, error)
	// Dispose does what is set to be done about a selfie after the outcome;
	// doing it again does no harm. nil: nothing.
	Dispose func(ctx context.Context, ref storage.Ref, outcome event.Outcome) (storage.Disposal, error)
	// DisposeUnsure is Dispose where nobody knows which version of a selfie was judged;
	// nil if Dispose is.
	DisposeUnsure func(ctx context.Context, ref storage.Ref, outcome event.Outcome) (storage.Disposal, error)
	// Archives keep the pictures of the vendors of which any are to be kept.
	Archives map[event.Vendor]Archive
	Writer   writer
	// OpenReader opens a partition at an offset, or at its start for
	// stream.FirstOffset.
	OpenReader func(topic string, partition int, next int64) (Reader, error)
	Offsets    offsets
	Registerer prometheus.Registerer // nil: no metrics
	Logger     *slog.Logger
}

// Selfie is a selfie in bounded memory, which Release gives back; again, or
// after the body was closed, it does nothing.
type Selfie interface {
	vendors.Selfie
	SHA256() [sha256.Size]byte
	// Version is the S3 version id of the object, empty if it has none.
	Version() string
	Release()
}

// writer writes records to the topic and partition they name, and returns nil
// once all in-sync replicas have them all.
type writer interface {
	Write(ctx context.Context, recs ...event.Record) error
	// WriteWhile is Write that asks before each try.
	WriteWhile(ctx context.Context, may func() error, recs ...event.Record) error
}

// offsets looks up positions in a partition.
type offsets interface {
	// OffsetAt returns the first position with a time of t or later, or the end.
	OffsetAt(ctx context.Context, topic string, partition int, t time.Time) (int64, error)
	// End returns the position after the last record.
	End(ctx context.Context, topic string, partition int) (int64, error)
}

// Reader reads one partition.
type Reader interface {
	// Fetch returns the next record. With stream.ErrControl comes one that
	// holds no request.
	Fetch(ctx context.Context) (event.Record, error)
	// HighWater is the partition's end as of the last fetch.
	HighWater() int64
	Close() error
}

// Pipeline takes requests from the shards that it is assigned to their results.
// It is the stream.Handler of its group member.
type Pipeline struct {
	cfg     Config
	parts   Parts
	log     *slog.Logger
	metrics *metrics
	lines   map[event.Vendor]*line
	orders  *orders
	parking *parking
	reviews *reviews
	clocks  *clocks
	// following is what follow-ups need, by vendor.
	following map[event.Vendor]*following
	store     *storeValve
	lease     lease
	backlog   *semaphore.Weighted
	// restoring holds a token for each shard that is being restored: a few at
	// a time, so that the first is at work soon.
	restoring chan struct{}
	// ownClaim stands in every claim and barrier of ours: what we wrote we know.
	ownClaim []byte
	// barriers is how many barriers we have begun to write.
	barriers atomic.Int64
	// cpu says what calls take of it.
	cpu cpuMeter
	// withdrawing holds a token for each request that is being ended because it is
	// taken back.
	withdrawing chan struct{}
	// disposals holds a token for each request whose selfie waits for another try.
	disposals chan struct{}
	// references say whose the vendors' references of recent verdicts are.
	references *recent[ledger.ID]

	// take ends when no more work is taken, with the reason as its cause;
	// stop ends it. work ends when the work itself must end.
	take   context.Context
	stop   context.CancelCauseFunc
	work   context.Context
	cutOff context.CancelCauseFunc
	wg     sync.WaitGroup // every goroutine of the pipeline

	mu       sync.Mutex // guards shards, total and assigned
	shards   map[int]*shard
	total    int
	assigned bool
}

const (
	restoreAtOnce = 2
	// referencesKept is several minutes' worth at the highest rates in use.
	referencesKept = 1 << 16
)

// New returns a pipeline without shards. It does nothing before Run.
func New(cfg Config, parts Parts) *Pipeline {
	p := &Pipeline{
		cfg:     cfg,
		parts:   parts,
		log:     parts.Logger,
		lines:   map[event.Vendor]*line{},
		orders:  newOrders(),
		reviews: newReviews(),
		clocks:  newClocks(cfg, parts.Logger),
		backlog: semaphore.NewWeighted(cfg.MaxBacklog),
		shards:  map[int]*shard{},

		cpu:         cpuMeter{used: cpuUsed},
		restoring:   make(chan struct{}, restoreAtOnce),
		withdrawing: make(chan struct{}, withdrawnAtOnce),
		disposals:   make(chan struct{}, disposalsKept),
		references:  newRecent[ledger.ID](referencesKept),
		ownClaim:    []byte(`"owner":"` + cfg.Owner + `"`),
	}
	p.parking = newParking(p.takenBackParked)
	p.take, p.stop = context.WithCancelCause(context.Background())
	p.work, p.cutOff = context.WithCancelCause(context.Background())
	for vendor, lane := range parts.Lanes {
		p.lines[vendor] = newLine(lane, cfg.Retry.Budget, p.orders.weight, p.takenBack)
		lane.OnThrottle(func(until time.Time) { p.wg.Go(func() { p.announce(vendor, until) }) })
		lane.OnLate(p.mayLeaveLate)
		lane.ClaimTurns(p.turnClaims(vendor))
	}
	p.following = p.followings()
	p.store = newStoreValve(cfg.Rules.Buckets, cfg.Retry.MaxAttempts, p.log)
	p.metrics = newMetrics(parts.Registerer, p)
	return p
}

// Run works until ctx ends or state is in doubt. Then it takes no more work,
// lets calls that are at a vendor end and be published within the grace time,
// and returns; what was not begun stays uncommitted, for the next owner. Its
// error is nil if ctx ended it and all calls ended in time.
func (p *Pipeline) Run(ctx context.Context) error {
	defer p.cutOff(errStopping)
	detach := context.AfterFunc(ctx, func() { p.stop(errStopping) })
	defer detach()
	for _, l := range p.lines {
		p.wg.Go(func() { p.dispatch(l) })
		p.wg.Go(func() { p.announceBreaker(l) })
	}
	p.wg.Go(func() { p.parking.run(p.take, p.unpark) })
	p.wg.Go(p.listen)
	p.wg.Go(p.tellTime)
	p.wg.Go(p.review)

	<-p.take.Done()
	cause := context.Cause(p.take)
	if errors.Is(cause, errStopping) {
		cause = nil
	}
	if !p.drain() {
		cause = errors.Join(cause, errCutOff)
	}
	return cause
}

// errCutOff: some calls did not end within the grace time after a stop.
var errCutOff = errors.New("the grace time ended with calls at a vendor; the next owner will repeat them")

// drain waits for all work to end; false says that some had to be cut off.
func (p *Pipeline) drain() bool {
	// An Assign that began before the stop has started its goroutines once
	// the lock is free, and a later one starts none.
	p.mu.Lock()
	p.mu.Unlock() //nolint:staticcheck // a barrier, on purpose
	ended := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(ended)
	}()
	grace := time.NewTimer(p.cfg.Grace)
	defer grace.Stop()
	select {
	case <-ended:
		return true
	case <-grace.C:
		p.cutOff(errStopping)
		<-ended
		return false
	}
}

// sweepIfMoved follows each putting back of a request: a shard that left
// meanwhile was swept before.
func (p *Pipeline) sweepIfMoved(s *shard) {
	if s.ctx.Err() != nil {
		p.sweep(s)
	}
}

// sweep forgets all of a shard's requests on which nobody works.
func (p *Pipeline) sweep(s *shard) {
	for _, it := range p.parking.drop(s) {
		p.forget(it)
	}
	for _, l := range p.lines {
		for _, it := range l.queue.drop(s) {
			p.forget(it)
		}
	}
}

// note logs and counts how an attempt ended, unless it ended in a result: that
// is counted when it is published.
func (p *Pipeline) note(it *item, d decision) {
	if d.action == publish && !p.log.Enabled(p.work, slog.LevelDebug) {
		return // most attempts: what the log would say of them costs more than it is worth
	}
	log := p.log.With("request_id", it.request.RequestID, "vendor", it.request.Vendor,
		"partition", it.record.Partition, "offset", it.record.Offset, "attempt", it.attempts)
	switch d.action {
	case keep, later, hold, capped:
		if it.tried {
			it.attempts-- // nothing was learnt about the request
		}
		p.metrics.kept.Inc()
		log.Debug("request kept", "error", d.cause)
	case await:
		log.Debug("verdict awaited", "after_ms", d.pending.After.Milliseconds(), "invited", d.pending.Invite != nil)
	case retry:
		p.metrics.retries.Inc()
		log.Info("attempt failed; trying again later", "error", d.cause, "after_ms", d.after.Milliseconds())
	case giveUp:
		log.Warn("request given up", "error", d.cause, "reason", d.reason)
	case publish:
		log.Debug("request answered", "outcome", d.verdict.Outcome)
	}
}

// sleep waits; false says that the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

var _ stream.Handler = (*Pipeline)(nil)
