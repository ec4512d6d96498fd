package pipeline

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

// A vendor may change a verdict after its result is published. Its webhook's
// word of that is a hint: whoever owns the request's shard asks the vendor, and
// publishes a result with a higher revision if the verdict is another one. Where
// that word may get lost, it is asked at set times (followtasks.go).

// reviewsKept bounds the news that is remembered.
const reviewsKept = 1 << 12

// reviewEvery is how often news that nothing came of is looked at again: its
// shard may have come to us since, from an owner that died over it; the verdict
// may only now be published; or the vendor could not be asked.
const reviewEvery = 15 * time.Second

// reviews is news that may be of a changed verdict. It is safe for concurrent
// use.
type reviews struct {
	// amending holds a token from the look at what stands until that is another:
	// two who learnt the same would publish it twice.
	amending chan struct{}

	fresh chan vendors.News
	mu    sync.Mutex // guards what follows
	kept  []vendors.News
}

func newReviews() *reviews {
	return &reviews{amending: make(chan struct{}, 1), fresh: make(chan vendors.News, 64)}
}

// add takes in news of a verdict.
func (r *reviews) add(n vendors.News) {
	if n.Outcome == "" {
		return
	}
	select {
	case r.fresh <- n:
	default:
		r.keep(n)
	}
}

// keep remembers news for later, and forgets the oldest if there is too much.
func (r *reviews) keep(n vendors.News) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) == reviewsKept {
		r.kept = append(r.kept[:0], r.kept[1:]...)
	}
	r.kept = append(r.kept, n)
}

// takeKept hands over what is remembered.
func (r *reviews) takeKept() (all []vendors.News) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, r.kept = r.kept, nil
	return all
}

// review looks at the news of verdicts until the process stops.
func (p *Pipeline) review() {
	ticker := time.NewTicker(reviewEvery)
	defer ticker.Stop()
	for {
		select {
		case n := <-p.reviews.fresh:
			p.reviewOrKeep(n)
		case <-ticker.C:
			for _, n := range p.reviews.takeKept() {
				p.reviewOrKeep(n)
			}
		case <-p.take.Done():
			return
		}
	}
}

func (p *Pipeline) reviewOrKeep(n vendors.News) {
	err := p.reviewOne(n)
	if err == nil || p.take.Err() != nil {
		return
	}
	p.reviews.keep(n)
	if !errors.Is(err, errNotOurs) && !errors.Is(err, errHeld) {
		p.log.Warn("looking into a changed verdict; trying again later", "vendor", n.Vendor, "error", err)
	}
}

// errNotOurs: no shard of ours knows the authentication.
var errNotOurs = errors.New("no shard of ours knows the authentication")

// reviewOne acts on news of a verdict if it is of a request of ours.
func (p *Pipeline) reviewOne(n vendors.News) error {
	l := p.lines[n.Vendor]
	if l == nil || l.reviewer == nil {
		return nil
	}
	s, standing := p.standing(n.Reference)
	if s == nil {
		return errNotOurs
	}
	if n.Outcome == standing.Outcome {
		return nil // it is what we have published
	}
	if l.brake.on() {
		return errHeld
	}
	if err := p.lease.wait(s.ctx); err != nil {
		return errNotOurs
	}
	var verdict vendors.Verdict
	err := l.lane.Turn(s.ctx, func(ctx context.Context) (err error) {
		verdict, err = l.reviewer.Review(ctx, n.Reference)
		return err
	})
	if err != nil {
		return err
	}
	if verdict.Pending != nil {
		return nil
	}
	return p.amend(s, verdict, standing)
}

// amend publishes a verdict if it is another one than was last published under its
// reference. known is what stands if the ledger has forgotten it.
func (p *Pipeline) amend(s *shard, v vendors.Verdict, known ledger.Standing) error {
	if !acquire(s.ctx.Done(), p.reviews.amending) {
		return context.Cause(s.ctx)
	}
	defer func() { <-p.reviews.amending }()
	s.mu.Lock()
	standing, remembered := s.ledger.Standing(v.Reference)
	s.mu.Unlock()
	if !remembered || standing.Revision < known.Revision {
		standing = known
	}
	if v.Outcome == standing.Outcome {
		return nil
	}
	return p.revise(s, standing, v)
}

// standing returns the shard of ours that published a verdict under the
// reference, nil if there is none.
func (p *Pipeline) standing(reference string) (*shard, ledger.Standing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.shards {
		if s.hasRead() != readAll {
			continue // a former owner may still publish another verdict
		}
		s.mu.Lock()
		standing, known := s.ledger.Standing(reference)
		s.mu.Unlock()
		if known {
			return s, standing
		}
	}
	return nil, ledger.Standing{}
}

// revise publishes the result of a changed verdict, and then notes in the ledger
// that it did.
func (p *Pipeline) revise(s *shard, standing ledger.Standing, v vendors.Verdict) error {
	first, err := p.resultUnder(s, v.Reference, standing.Answered)
	if err != nil {
		return err
	}
	if first == nil {
		p.metrics.stuck.Inc()
		p.log.Error("a changed verdict cannot be published: its former result is not in the results topic any more", "partition", s.id)
		return nil
	}
	at := stamp()
	r := *first
	r.Outcome, r.Reasons, r.VendorCodes, r.Scores, r.Liveness = v.Outcome, v.Reasons, v.Codes, v.Scores, v.Liveness
	r.Revision, r.CompletedAt = standing.Revision+1, at
	rec, err := r.Record(p.cfg.Topics.Results, p.cfg.Source)
	if err != nil {
		return err
	}
	out, err := p.published(s.ctx, s, event.ResultID(r.RequestID, r.Revision), standing.Answered.Add(-time.Second))
	if err != nil {
		return err
	}
	if !out {
		if err := p.write(p.whileOurs(s), rec); err != nil {
			return err
		}
		p.metrics.revised.WithLabelValues(string(r.Vendor), string(r.Outcome)).Inc()
		p.log.Warn("verdict changed by the vendor", "request_id", r.RequestID, "vendor", r.Vendor, "outcome", r.Outcome, "revision", r.Revision)
	}
	return p.noteRevised(s, r, at)
}

// noteRevised writes to the ledger that a revision is published.
func (p *Pipeline) noteRevised(s *shard, r event.Result, at time.Time) error {
	answer := ledger.Answer{
		Outcome: r.Outcome, Reasons: r.Reasons, Codes: r.VendorCodes, Reference: r.VendorReference, CompletedAt: r.CompletedAt,
	}
	note := ledger.Record{Step: ledger.Revised, Revision: r.Revision, Answer: &answer}
	value := note.Encode()
	if err := p.write(p.whileOurs(s), event.Record{
		Topic: p.cfg.Topics.Ledger, Partition: s.id, Key: []byte(r.RequestID), Value: value, Time: at,
	}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.Note(r.RequestID, note, value, at)
	return nil
}

// unnotedFor is for how long a revision may have been published before its owner
// was gone and had not noted it, at most: it tries nothing else meanwhile.
const unnotedFor = 15 * time.Minute

// noteRevisions notes the revisions that the former owner of a shard published
// last and did not come to note. Its vendor may have gone back since to the
// verdict before, which would else be taken for the one that stands.
func (p *Pipeline) noteRevisions(s *shard) error {
	if !p.revises() {
		return nil
	}
	topic := p.cfg.Topics.Results
	start, err := p.parts.Offsets.OffsetAt(s.ctx, topic, s.id, s.since.Add(-unnotedFor))
	if err != nil {
		return err
	}
	end, err := p.parts.Offsets.End(s.ctx, topic, s.id)
	if err != nil {
		return err
	}
	var unnoted []event.Result
	r, err := p.readUpTo(s.ctx, topic, s.id, start, end, func(rec event.Record) {
		if event.TypeOf(rec) != event.TypeResult || bytes.Contains(rec.Value, firstRevision) {
			return
		}
		if result, err := event.DecodeResult(rec); err == nil && result.Revision > p.revisionOf(s, result.VendorReference) {
			unnoted = append(unnoted, result)
		}
	})
	if err != nil {
		return err
	}
	for _, result := range unnoted {
		if err := p.noteRevised(s, result, stamp()); err != nil {
			return errors.Join(err, r.Close())
		}
	}
	return r.Close()
}

// firstRevision stands in every result that is its request's first.
var firstRevision = []byte(`"revision":1,`)

// revisionOf returns the revision that stands under a reference, as high as can be
// if the ledger knows none.
func (p *Pipeline) revisionOf(s *shard, reference string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if standing, known := s.ledger.Standing(reference); known {
		return standing.Revision
	}
	return math.MaxInt
}

// revises tells whether any vendor may change its verdicts.
func (p *Pipeline) revises() bool {
	for _, l := range p.lines {
		if l.reviewer != nil {
			return true
		}
	}
	return false
}

// resultUnder returns the first result with a vendor's reference that was
// written at answered or later, nil if it is gone.
func (p *Pipeline) resultUnder(s *shard, reference string, answered time.Time) (*event.Result, error) {
	topic := p.cfg.Topics.Results
	start, err := p.parts.Offsets.OffsetAt(s.ctx, topic, s.id, answered.Add(-time.Second))
	if err != nil {
		return nil, err
	}
	end, err := p.parts.Offsets.End(s.ctx, topic, s.id)
	if err != nil {
		return nil, err
	}
	var found *event.Result
	r, err := p.readWhile(s.ctx, topic, s.id, start, end, func(rec event.Record) bool {
		if event.TypeOf(rec) != event.TypeResult || !strings.Contains(string(rec.Value), reference) {
			return true
		}
		if result, err := event.DecodeResult(rec); err == nil && result.VendorReference == reference {
			found = &result
		}
		return found == nil
	})
	if err != nil {
		return nil, err
	}
	return found, r.Close()
}
