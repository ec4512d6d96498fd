package pipeline

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

// Some things are done about a request when its verdict is there: the vendor's
// pictures are archived, the verdict is asked for again, the vendor anonymises its
// data. What is left of them is in the ledger (ledger.FollowUp), from the answer's
// record on, so that it outlives kills, rebalances and restarts; whoever owns the
// shard does it, when it is due, and writes what is then left. Each is done at
// least once, and doing it again does no harm: the same object is written, the data
// is anonymised already, a revision that is out is not published again.
//
//	                     due, a turn                     written
//	answered ─▶ waiting ──────────────▶ being done ──┬──────────▶ waiting for the next, or closed
//	               ▲                                 ├─ failed: later, up to followUpTries
//	               └─────────────────────────────────┴─ lane, order or bucket: nothing is counted
//
// None of it touches the verdict, and none has precedence: while requests wait
// before a lane, one follow-up at a time waits beside them.

// FollowUpConfig is what is done about a vendor's requests after the verdict. Its
// zero value is nothing.
type FollowUpConfig struct {
	// Archive are the outcomes whose pictures are archived, if the adapter is a
	// vendors.PictureLister.
	Archive []event.Outcome
	// AuditChecks are how long after the verdict the vendor is asked for it again,
	// shortest first, at most ledger.MaxAudits; for a vendors.Reviewer.
	AuditChecks []time.Duration
	// AnonymiseAfter is how long after the verdict the vendor anonymises its data,
	// 0 for never; for a vendors.Eraser.
	AnonymiseAfter time.Duration
}

// Archive keeps a picture that comes from open under a key, to which it gives an
// ending. An error of open is returned as it is, every other is a *storage.Error.
type Archive func(ctx context.Context, key string, open func(context.Context) (body io.ReadCloser, size int64, err error)) error

const (
	// followUpsAtOnce bounds the follow-ups under way for a lane.
	followUpsAtOnce = 16
	// followUpTries is how often each thing is tried, over some five hours.
	followUpTries = 13
	// followUpWait is the wait after the first try in vain, which doubles up to
	// followUpMaxWait.
	followUpWait    = 5 * time.Second
	followUpMaxWait = 4 * time.Hour
	// heldFollowUp is how often one is looked at that has to wait for an order, a
	// bucket or a setting.
	heldFollowUp = 15 * time.Second
	// archiveAfter is how long after the verdict its pictures are archived: the
	// result is published first, and the vendor's pictures may come later than
	// its verdict.
	archiveAfter = 5 * time.Second
	// defaultMaxFollowUps is Config.MaxFollowUps if that is 0.
	defaultMaxFollowUps = 250_000
	// fullWait is how long a request waits that is not begun because too much is
	// left to be done about others.
	fullWait = 10 * time.Second
)

// following is what a lane's follow-ups need.
type following struct {
	lister vendors.PictureLister // nil: the vendor keeps no pictures
	eraser vendors.Eraser        // nil: it does not anonymise
	// under holds a token for each follow-up under way, waits one for whichever
	// waits for a turn, and probes one for whichever finds out whether a bucket
	// is well again.
	under, waits, probes chan struct{}
	// bucket pauses the archiving on a fault that every picture would meet.
	bucket vendors.Valve
}

// followings makes one for each lane.
func (p *Pipeline) followings() map[event.Vendor]*following {
	all := map[event.Vendor]*following{}
	for vendor, l := range p.lines {
		f := &following{
			under: make(chan struct{}, followUpsAtOnce), waits: make(chan struct{}, 1), probes: make(chan struct{}, 1),
		}
		f.lister, _ = l.lane.Adapter().(vendors.PictureLister)
		f.eraser, _ = l.lane.Adapter().(vendors.Eraser)
		f.bucket.OnChange = func(fault error) { p.bucketChanged(vendor, fault) }
		all[vendor] = f
	}
	return all
}

// followUpOf returns what is to be done about a request with an answer that is
// about to be written, nil for nothing.
func (p *Pipeline) followUpOf(it *item, a ledger.Answer, at time.Time) *ledger.FollowUp {
	vendor := it.request.Vendor
	c, f := p.cfg.FollowUps[vendor], p.following[vendor]
	if a.Reference == "" || f == nil {
		return nil
	}
	up := ledger.FollowUp{Vendor: vendor, Reference: a.Reference, Answered: at, Revision: it.revision(), Outcome: a.Outcome}
	// A person who refused was not recorded.
	if slices.Contains(c.Archive, a.Outcome) && f.lister != nil && !slices.Contains(a.Reasons, event.SubjectRefused) {
		up.Archive = at.Add(archiveAfter)
	}
	if a.Revisable && isDecided(a.Outcome) {
		for _, after := range c.AuditChecks {
			up.Audits = append(up.Audits, at.Add(after))
		}
	}
	if c.AnonymiseAfter > 0 && f.eraser != nil {
		up.Anonymise = at.Add(c.AnonymiseAfter)
	}
	if task, _ := up.Next(); task == "" {
		return nil
	}
	return &up
}

// isDecided tells whether an outcome is the vendor's verdict on the person, which
// an audit may change.
func isDecided(o event.Outcome) bool { return o == event.Approved || o == event.Rejected }

// errFull: so much is left to be done about requests that none is begun.
var errFull = errors.New("too many requests are to be followed up")

// followUpsFull tells whether a request is not to be begun because its shard has
// its share of follow-ups already: each takes memory, perhaps for a month. Those
// that are at the vendor go on.
func (p *Pipeline) followUpsFull(it *item) bool {
	if c := p.cfg.FollowUps[it.request.Vendor]; c.AnonymiseAfter == 0 && len(c.Archive) == 0 && len(c.AuditChecks) == 0 {
		return false
	}
	if it.state != "" || it.calls > 0 || !it.unknownSince.IsZero() {
		return false
	}
	s, allowed := it.shard, p.followUpsAllowed()
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.ledger.FollowUps() >= allowed
	if full != s.full {
		s.full = full
		if full {
			p.log.Error("requests are not begun: too many are to be followed up; raise max_follow_ups",
				"vendor", it.request.Vendor, "partition", s.id, "follow_ups", s.ledger.FollowUps())
		}
	}
	return full
}

// followUpsAllowed returns how many a shard may have: its part of those of the
// whole group, so that one replica that has all shards has no more than that.
func (p *Pipeline) followUpsAllowed() int {
	most := p.cfg.MaxFollowUps
	if most == 0 {
		most = defaultMaxFollowUps
	}
	p.mu.Lock()
	total := max(1, p.total)
	p.mu.Unlock()
	return (most + total - 1) / total
}

// keepFollowUps writes follow-ups again whose last record is older than half the
// window, so that a restore always meets them.
func (p *Pipeline) keepFollowUps(s *shard, now time.Time) {
	s.mu.Lock()
	stale := s.ledger.StaleFollowUps(now.Add(-p.cfg.Window / 2))
	s.mu.Unlock()
	for chunk := range slices.Chunk(stale, keptAtOnce) {
		recs := make([]event.Record, len(chunk))
		for i, k := range chunk {
			recs[i] = p.followUpRecord(s, k.RequestID, k.Record, now)
		}
		if p.write(p.whileOurs(s), recs...) != nil {
			return
		}
		s.mu.Lock()
		for _, k := range chunk {
			s.ledger.Rewritten(k, now)
		}
		s.mu.Unlock()
	}
}

// keptAtOnce bounds the records of one write: some 100 KB.
const keptAtOnce = 256

func (p *Pipeline) followUpRecord(s *shard, requestID string, r ledger.Record, at time.Time) event.Record {
	return event.Record{Topic: p.cfg.Topics.Ledger, Partition: s.id, Key: []byte(requestID), Value: r.Encode(), Time: at}
}

// followUps does what is to be done about a shard's requests after their verdicts,
// until the shard moves or the process stops. It begins when no former owner can be
// doing it any more.
func (p *Pipeline) followUps(s *shard) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		case <-s.followed:
		}
		for p.followNext(s) {
		}
		s.mu.Lock()
		due, any := s.ledger.FollowUpDue()
		s.mu.Unlock()
		if any {
			timer.Reset(max(0, time.Until(due)))
		}
	}
}

// followNext begins the follow-up that is due first, false if none is. It waits
// while as many are under way as may be.
func (p *Pipeline) followNext(s *shard) bool {
	s.mu.Lock()
	requestID, f, ok := s.ledger.TakeFollowUp(time.Now())
	s.mu.Unlock()
	if !ok || s.ctx.Err() != nil {
		return false
	}
	x := p.following[f.Vendor]
	if x == nil { // the vendor is not enabled any more, or not here yet
		p.shelve(s, f, heldFollowUp)
		return true
	}
	if !acquire(s.ctx.Done(), x.under) {
		return false
	}
	p.wg.Go(func() {
		defer func() { <-x.under }()
		p.followUp(s, followed{requestID, f, x, p.lines[f.Vendor]})
	})
	return true
}

// followed is a follow-up that is being done.
type followed struct {
	requestID string
	ledger.FollowUp
	by   *following
	line *line
}

// shelve lets a follow-up wait for a while, of which the ledger needs not know.
func (p *Pipeline) shelve(s *shard, f ledger.FollowUp, wait time.Duration) {
	s.mu.Lock()
	s.ledger.PutBack(f.Reference, time.Now().Add(wait))
	s.mu.Unlock()
	s.hurryFollowUps()
}

// hurryFollowUps says that the first follow-up may be due sooner than it was.
func (s *shard) hurryFollowUps() {
	select {
	case s.followed <- struct{}{}:
	default:
	}
}

// turn is the lane's, taken by one follow-up at a time: among the requests that
// wait for theirs it is one of many, and when none do it waits for nobody.
func (f followed) turn(ctx context.Context, do func(context.Context) error) error {
	if !acquire(ctx.Done(), f.by.waits) {
		return context.Cause(ctx)
	}
	given := sync.OnceFunc(func() { <-f.by.waits })
	defer given()
	return f.line.lane.Turn(ctx, func(ctx context.Context) error {
		given()
		return do(ctx)
	})
}
