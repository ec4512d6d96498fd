package pipeline

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// A dead letter can be in its topic before we write it: an owner before us wrote
// it and had no time to commit its record, or we gave its writing up with the
// lease. Then it is not written again. Where it may be so we look: before we begin
// again, before a result that a former owner had answered, and for a record
// that is no request, of which no ledger says how far it got, if a former owner
// may have read it. For the last, an owner writes dead letters only while the
// shard is its own, and the next one looks half a margin after that, as at claims.

// graves is what a shard knows about dead letters from before it was ours.
type graves struct {
	index outIndex

	mu sync.Mutex // guards what follows
	// from is the time of the oldest record whose dead letter is to be looked
	// for; zero: none is.
	from   time.Time
	looked bool // from was used
	blind  bool // the topic cannot be looked through
}

const (
	// burialSkew is how far the clocks of those who publish requests may be
	// ahead of ours, where a dead letter is looked for from the time of its
	// record on.
	burialSkew = time.Minute
	// lookPatience bounds the look for dead letters of a shard that fails.
	// What cannot be looked for is written: twice is better than never.
	lookPatience = time.Minute
)

// bury writes the dead letter of an item, unless it is there. before says when a
// former owner may have written it, nil that none can have. False says that the
// record was left to the shard's new owner, or that the process stops.
func (p *Pipeline) bury(it *item, d event.DeadLetter, before *look) bool {
	rec := d.Record(p.cfg.Topics.Dead, it.record)
	found := false
	written := p.writeUnless(func(again bool) bool {
		if again {
			before = &look{since: d.FailedAt.Add(-time.Second)}
		}
		found = before != nil && p.isBuried(it, rec, *before)
		return found
	}, it, rec)
	switch {
	case found:
		p.log.Info("dead letter is there already", "topic", it.record.Topic, "partition", it.record.Partition, "offset", it.record.Offset)
	case written:
		p.metrics.dead(d.Stage, d.Reason)
	}
	return written
}

// isBuried tells whether a dead letter is in its topic. It asks again after an
// error, until somebody else has the record, or its patience has ended.
func (p *Pipeline) isBuried(it *item, dead event.Record, l look) bool {
	s := it.shard
	id, ok := deadID(dead)
	ctx, cancel := context.WithTimeout(p.work, lookPatience)
	defer cancel()
	for ok && !s.graves.isBlind() {
		there, err := p.isOut(ctx, s, &s.graves.index, id, l)
		switch {
		case err == nil:
			return there
		case s.hasMoved() && !p.mayRecord(it), p.work.Err() != nil:
			return false
		}
		p.log.Warn("looking for a dead letter", "partition", s.id, "offset", it.record.Offset, "error", err)
		if !sleep(ctx, time.Second) && p.work.Err() == nil {
			p.log.Error("dead letters cannot be looked through: what is refused from now on may be there twice", "partition", s.id, "error", err)
			s.graves.goBlind()
		}
	}
	return false
}

// inherited waits until no former owner of the shard can be writing the dead
// letter of a record any more, and returns when one may have; nil if none can
// have read the record, or if ctx ended first, and then false.
func (p *Pipeline) inherited(ctx context.Context, s *shard, rec event.Record) (before *look, ok bool) {
	if !s.inherits(rec) {
		return nil, true
	}
	quiet, oldest := s.since.Add(p.cfg.ClaimMargin/2), s.remembers(p.cfg.Window)
	s.graves.expect(rec.Time, s.since, oldest)
	if !sleep(ctx, time.Until(quiet)) {
		return nil, false
	}
	since := s.graves.begin().Add(-burialSkew)
	if since.Before(oldest) {
		since = oldest
	}
	return &look{since: since, by: quiet}, true
}

// expect notes that the dead letter of a record is to be looked for. Those that
// are noted before the first look are found by one reading of the topic; an older
// one after that has all of it read that anybody looks for, from oldest on, so
// that there are two readings at most.
func (g *graves) expect(at, latest, oldest time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.from.IsZero() && at.After(latest):
		g.from = latest
	case g.from.IsZero() || at.Before(g.from) && !g.looked:
		g.from = at
	case at.Before(g.from):
		g.from = oldest
	}
}

// begin returns from when on dead letters are to be looked for.
func (g *graves) begin() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.looked = true
	return g.from
}

func (g *graves) goBlind() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.blind = true
}

func (g *graves) isBlind() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.blind
}

// deadID is what a dead letter is asked for by. It is the same for two only if
// they are of one record. A record that was sent back has the origin of its first
// reading, and what comes from upstream may have any, so the origin alone would
// not do.
func deadID(rec event.Record) (ledger.ID, bool) {
	_, origin, original, err := event.ParseDeadLetter(rec)
	if err != nil {
		return ledger.ID{}, false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q %d %d %d %q", origin.Topic, origin.Partition, origin.Offset, original.Time.UnixMilli(), original.Key)
	for _, h := range original.Headers {
		fmt.Fprintf(&b, " %q %q", h.Key, h.Value)
	}
	b.WriteByte('\n')
	b.Write(original.Value)
	return ledger.IDOf(b.String()), true
}
