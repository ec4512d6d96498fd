package pipeline

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/stream"
)

// errMoved is the cause when a shard's work ends because the shard has a new
// owner, errStopping when it ends because the process stops.
var (
	errMoved    = errors.New("the shard has moved to another replica")
	errStopping = errors.New("stopping")
)

// shard is partition id of every request topic for as long as this replica owns
// it. A shard that leaves and comes back is a new one, so nothing that was
// begun for the old can count as done for the new.
type shard struct {
	id int
	// ctx ends, with errMoved or errStopping as its cause, when no further
	// work may be begun for the shard.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// room holds a token for each request that is open, so that a shard
	// whose requests cannot be served stops fetching.
	room chan struct{}

	mu       sync.Mutex // guards what follows
	moved    bool
	trackers map[string]*tracker // by topic
	reached  map[string]reach    // by topic
	// ends are where the topics ended when their first record was fetched: what
	// lies before, a former owner may have read.
	ends   map[string]int64
	ledger *ledger.Shard
	// answered is when a published answer was last written, marked up to when
	// the last checkpoint reaches.
	answered, marked time.Time
	// capsMet are the caps of which it is logged that they are reached.
	capsMet map[capMet]struct{}
	// silence is how much longer than the window the ledger goes back: nobody
	// wrote to it for so long.
	silence time.Duration
	// full: no request is begun that is to be followed up.
	full bool
	// followed holds a token when a follow-up may be due sooner.
	followed chan struct{}

	// read is how far the ledger has been read, readAll once nobody else
	// writes to it, and passed the highest barrier of ours before that.
	read, passed atomic.Int64

	// since is when the shard became ours.
	since time.Time
	// out are the results that are in the results topic.
	out    outIndex
	graves graves
}

// reach is how far a shard has come in a topic.
type reach struct{ read, end int64 }

func newShard(ctx context.Context, id int, cfg Config, next map[string]int64) *shard {
	s := &shard{
		id: id, room: make(chan struct{}, cfg.MaxOpen), followed: make(chan struct{}, 1),
		trackers: map[string]*tracker{}, reached: map[string]reach{}, ends: map[string]int64{},
		ledger: ledger.NewShard(cfg.Window), since: time.Now(),
		out:    outIndex{topic: cfg.Topics.Results, idOf: resultID},
		graves: graves{index: outIndex{topic: cfg.Topics.Dead, idOf: deadID}},
	}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	for topic, n := range next {
		s.trackers[topic] = newTracker(n)
	}
	return s
}

// track notes a fetched record; false says that it is not ours any more or was
// tracked before.
func (s *shard) track(rec event.Record, end int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moved {
		return false
	}
	s.reached[rec.Topic] = reach{read: rec.Offset + 1, end: end}
	if _, known := s.ends[rec.Topic]; !known {
		s.ends[rec.Topic] = end
	}
	return s.trackers[rec.Topic].add(rec.Offset, rec.Time)
}

// inherits tells whether an owner before us may have read a record that was
// tracked.
func (s *shard) inherits(rec event.Record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return rec.Offset < s.ends[rec.Topic]
}

// finish marks the record of a request, or of none, as done. That counts unless the
// shard has moved: then nothing of it is committed any more.
func (s *shard) finish(rec event.Record, id ledger.ID) (counts bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trackers[rec.Topic].finish(rec.Offset, id)
	return !s.moved
}

// ahead returns the requests that are done and would be read again. The shard's lock
// is held.
func (s *shard) ahead() (ids []ledger.ID) {
	for _, t := range s.trackers {
		ids = t.ahead(ids)
	}
	return ids
}

// leave fences the shard: from here on nothing of it is committed, and no work
// is begun.
func (s *shard) leave() {
	s.mu.Lock()
	s.moved = true
	s.mu.Unlock()
	s.cancel(errMoved)
}

// hasMoved tells whether the shard has left.
func (s *shard) hasMoved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moved
}

// readAll stands for a ledger in which nothing is left to be read.
const readAll = math.MaxInt64

func (s *shard) setRead(next int64) { s.read.Store(next) }
func (s *shard) hasRead() int64     { return s.read.Load() }
func (s *shard) hasPassed() int64   { return s.passed.Load() }

// next adds what may be committed to offsets.
func (s *shard) next(offsets map[string]map[int]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, t := range s.trackers {
		if t.next == unknownNext {
			continue
		}
		if offsets[topic] == nil {
			offsets[topic] = map[int]int64{}
		}
		offsets[topic][s.id] = t.next
	}
}

// lag is how many records of the shard are not done, over all topics, as far as
// the last fetch knows the ends.
func (s *shard) lag() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, r := range s.reached {
		n += max(0, r.end-max(s.trackers[topic].next, 0))
	}
	return n
}

// fetch reads one topic of the shard until the shard moves or the process stops.
func (p *Pipeline) fetch(s *shard, topic string, next int64) {
	log := p.log.With("topic", topic, "partition", s.id)
	for {
		err := p.fetchFrom(s, topic, next)
		if s.ctx.Err() != nil {
			return
		}
		// The reader retries by itself what may pass; the rest needs a person.
		p.metrics.stuck.Inc()
		log.Error("reading stopped; trying again later", "error", err, "after_ms", p.cfg.StuckRetry.Milliseconds())
		if !sleep(s.ctx, p.cfg.StuckRetry) {
			return
		}
		next = s.position(topic, next)
	}
}

func (p *Pipeline) fetchFrom(s *shard, topic string, next int64) error {
	r, err := p.parts.OpenReader(topic, s.id, next)
	if err != nil {
		return err
	}
	defer func() {
		if err := r.Close(); err != nil {
			p.log.Warn("closing reader", "topic", topic, "partition", s.id, "error", err)
		}
	}()
	for {
		rec, err := r.Fetch(s.ctx)
		if errors.Is(err, stream.ErrControl) {
			s.skip(rec, r.HighWater())
			continue
		}
		if gap, ok := errors.AsType[*stream.GapError](err); ok {
			p.metrics.lost.Add(float64(gap.To - gap.From))
			p.log.Error("records were deleted before they were read: raise the topic's retention",
				"topic", topic, "partition", s.id, "from", gap.From, "to", gap.To)
			continue
		}
		if err != nil {
			return err
		}
		if !acquire(s.ctx.Done(), s.room) {
			return context.Cause(s.ctx)
		}
		p.admit(s, rec, r.HighWater())
	}
}

// position returns where to read on: after the last record that was tracked.
func (s *shard) position(topic string, start int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(start, s.reached[topic].read)
}

// skip moves past a record that holds no request.
func (s *shard) skip(rec event.Record, end int64) {
	if s.track(rec, end) {
		s.finish(rec, ledger.ID{})
	}
}
