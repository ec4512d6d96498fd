package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/stream"
)

// own brings a gained shard to work: it rebuilds the shard's ledger, looks
// after what lives there, and begins to fetch. Shards start as they are ready.
func (p *Pipeline) own(s *shard, next map[string]int64) {
	tail, next := p.restore(s, next)
	if tail == nil {
		return
	}
	for _, l := range p.lines {
		l.lane.EndRestore(s.id)
	}
	s.mu.Lock()
	ours := s.ledger.Restored(next)
	open, answered := s.ledger.Len()
	s.mu.Unlock()
	p.obeyLedger(s)
	for _, e := range ours {
		p.lookAfter(s, e, time.Time{})
	}
	p.log.Info("shard works", "partition", s.id, "restored_ms", time.Since(s.since).Milliseconds(), "open", open, "answered", answered, "parked", len(ours))
	for topic, n := range next {
		p.wg.Go(func() { p.fetch(s, topic, n) })
	}
	p.wg.Go(func() { p.mark(s) })
	p.readOn(s, tail)
	p.followUps(s)
}

// restore reads the ledger's window back and returns the reader at its end, nil
// if the shard moved or the process stops; and where to begin in each topic.
func (p *Pipeline) restore(s *shard, committed map[string]int64) (tail Reader, next map[string]int64) {
	if !acquire(s.ctx.Done(), p.restoring) {
		return nil, nil
	}
	defer func() { <-p.restoring }()
	for {
		tail, err := p.readBack(s)
		if err == nil {
			if next, err = p.beginAt(s, committed); err == nil {
				return tail, next
			}
			err = errors.Join(err, tail.Close())
		}
		if s.ctx.Err() != nil {
			return nil, nil
		}
		p.metrics.stuck.Inc()
		p.log.Error("restoring the ledger; trying again later", "partition", s.id, "error", err, "after_ms", p.cfg.StuckRetry.Milliseconds())
		if !sleep(s.ctx, p.cfg.StuckRetry) {
			return nil, nil
		}
	}
}

// readBack rebuilds the shard's ledger and returns the reader behind it.
func (p *Pipeline) readBack(s *shard) (Reader, error) {
	start, silence, err := p.windowBegin(s)
	if err != nil {
		return nil, err
	}
	if silence > 0 {
		p.log.Info("nobody wrote to the ledger for a while: it is read from before that", "partition", s.id, "silence_ms", silence.Milliseconds())
	}
	s.mu.Lock()
	s.silence = silence
	s.ledger = ledger.NewShard(p.cfg.Window) // a second try begins anew
	s.ledger.OnClaim(func(vendor event.Vendor, called time.Time) { p.countCall(s, vendor, called) })
	s.mu.Unlock()
	for _, l := range p.lines {
		l.lane.BeginRestore(s.id)
	}
	return p.readToBarrier(s, start, func(rec event.Record) { p.apply(s, rec) })
}

// countCall counts a call that a claim in the ledger tells of against the limits of
// its vendor; one of before claims named it against those of all. A call may leave
// up to half a margin after its claim's time.
func (p *Pipeline) countCall(s *shard, vendor event.Vendor, called time.Time) {
	latest := called.Add(p.cfg.ClaimMargin / 2)
	for name, l := range p.lines {
		if name == vendor || vendor == "" {
			l.lane.Restore(s.id, latest)
		}
	}
}

// readUpTo hands the records of a partition from start up to end to take and
// returns the reader, which has not been closed.
func (p *Pipeline) readUpTo(ctx context.Context, topic string, partition int, start, end int64, take func(event.Record)) (Reader, error) {
	return p.readWhile(ctx, topic, partition, start, end, func(rec event.Record) bool {
		take(rec)
		return true
	})
}

// readWhile is readUpTo that stops when more says no.
func (p *Pipeline) readWhile(ctx context.Context, topic string, partition int, start, end int64, more func(event.Record) bool) (Reader, error) {
	r, err := p.parts.OpenReader(topic, partition, start)
	if err != nil || start >= end {
		return r, err
	}
	err = p.readEach(ctx, r, func(rec event.Record) bool {
		if rec.Value != nil && rec.Offset < end && !more(rec) {
			return false
		}
		return rec.Offset+1 < end
	})
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// errStalled: nothing came for StuckRetry of what a topic should have. Its last records
// may be gone: a leader was elected that lacks them.
var errStalled = errors.New("nothing comes of what should be there")

// readEach hands what a reader has to more, until that says no. Its error is errStalled
// if there is nothing for so long, up to twice StuckRetry, that it may never come.
func (p *Pipeline) readEach(ctx context.Context, r Reader, more func(event.Record) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A restore reads millions: a timer set anew for each took a twentieth of its CPU.
	var read atomic.Int64
	ticks := time.NewTicker(p.cfg.StuckRetry)
	defer ticks.Stop()
	p.wg.Go(func() {
		for before := int64(-1); read.Load() != before; {
			before = read.Load()
			select {
			case <-ticks.C:
			case <-ctx.Done():
				return
			}
		}
		cancel(errStalled)
	})
	for {
		rec, err := p.fetchAny(ctx, r)
		if err != nil || !more(rec) {
			return err
		}
		read.Add(1)
	}
}

// fetchAny is Fetch for topics of our own, in which control records and gaps
// mean nothing to us: such a record has no value. That of a gap is the last in it, for
// nothing may ever come behind it.
func (p *Pipeline) fetchAny(ctx context.Context, r Reader) (event.Record, error) {
	rec, err := r.Fetch(ctx)
	gap, lost := errors.AsType[*stream.GapError](err)
	switch {
	case err == nil && rec.Value == nil:
		rec.Value = []byte{}
	case errors.Is(err, stream.ErrControl):
		rec.Value, err = nil, nil
	case lost: // older than the retention is older than the window
		return event.Record{Offset: gap.To - 1}, nil
	}
	return rec, err
}

// apply takes in one record of the ledger. One that cannot be read is counted
// and reported, and means nothing.
func (p *Pipeline) apply(s *shard, rec event.Record) {
	s.mu.Lock()
	err := s.ledger.Apply(rec.Key, rec.Value, rec.Time)
	s.mu.Unlock()
	if time.Since(rec.Time) < p.cfg.LongestCall+2*p.cfg.ClaimMargin {
		p.references.add(ledger.ReferenceOf(rec.Value), ledger.IDOf(string(rec.Key)))
	}
	if err != nil {
		p.metrics.unreadable.WithLabelValues(rec.Topic).Inc()
		p.log.Warn("ledger record ignored", "partition", rec.Partition, "offset", rec.Offset, "error", err)
	}
}

// readOn takes in what the owner before us still writes, until it cannot write
// any more: its claims have ended by then.
func (p *Pipeline) readOn(s *shard, tail Reader) {
	p.readWhileWritten(s, tail)
	// The reader may have been broken when the time came.
	for s.ctx.Err() == nil {
		err := p.readRest(s)
		if err == nil {
			err = p.noteRevisions(s) // of a ledger that is whole
		}
		if err == nil {
			s.setRead(readAll)
			return
		}
		p.log.Warn("reading the ledger to its end; trying again", "partition", s.id, "error", err)
		sleep(s.ctx, time.Second)
	}
}

// readRest reads what has not been read of the ledger.
func (p *Pipeline) readRest(s *shard) error {
	r, err := p.readToBarrier(s, s.hasRead(), func(rec event.Record) { p.applyForeign(s, rec) })
	if err != nil {
		return err
	}
	return r.Close()
}

// readWhileWritten reads on until the former owner's claims have ended.
func (p *Pipeline) readWhileWritten(s *shard, tail Reader) {
	ctx, cancel := context.WithDeadline(s.ctx, p.writtenUntil(s))
	defer cancel()
	for {
		err := p.readTail(ctx, s, tail)
		if ctx.Err() != nil {
			return
		}
		// What has not been read is not settled, so nothing happens meanwhile.
		p.log.Warn("reading the ledger on; trying again", "partition", s.id, "error", err)
		if !sleep(ctx, time.Second) {
			return
		}
		if tail, err = p.parts.OpenReader(p.cfg.Topics.Ledger, s.id, s.hasRead()); err != nil {
			p.fail(fmt.Errorf("reading the ledger on: %w", err))
			return
		}
	}
}

// longestClaim is longer than any settings have a claim last.
const longestClaim = time.Hour

// writtenUntil is until when the former owner of a shard may write to its ledger. Its
// claims say so, too: it may have had longer timeouts than ours.
func (p *Pipeline) writtenUntil(s *shard) time.Time {
	s.mu.Lock()
	claimed := s.ledger.ClaimedUntil()
	s.mu.Unlock()
	if bound := s.since.Add(longestClaim); claimed.After(bound) {
		claimed = bound
	}
	return latest(claimed, s.since.Add(p.cfg.LongestCall+2*p.cfg.ClaimMargin))
}

// readTail reads on until ctx ends or the reader fails, and closes it.
func (p *Pipeline) readTail(ctx context.Context, s *shard, tail Reader) error {
	for {
		rec, err := p.fetchAny(ctx, tail)
		if err != nil {
			return errors.Join(err, tail.Close())
		}
		p.applyForeign(s, rec)
		p.passed(s, rec)
	}
}

// applyForeign takes in a record of the ledger that is not a claim of ours.
func (p *Pipeline) applyForeign(s *shard, rec event.Record) {
	if rec.Value == nil || bytes.Contains(rec.Value, p.ownClaim) {
		return
	}
	p.apply(s, rec)
	if ledger.IsOrder(rec.Key) {
		p.obeyLedger(s)
	}
}

// lookAfter takes charge of a request that lives in the ledger.
// News of it that came after since is heeded.
func (p *Pipeline) lookAfter(s *shard, e *ledger.Entry, since time.Time) {
	s.mu.Lock()
	w := waiter{due: e.Due, shard: s, entry: e, awaited: e.Why() == whyAwaits}
	if _, reference := e.Pending(); reference != "" {
		w.expects = &expected{reference: reference, since: since}
	}
	if e.Why() == whyPaused {
		// It is held back when it comes up, if the order still holds.
		w.due, w.held, w.awaited = time.Now(), true, e.Attempts == 0 || w.expects != nil
	}
	if e.Why() == whySpend {
		w.due, w.awaited = time.Now(), e.Attempts == 0 // the cap may be another one
	}
	if e.Step != ledger.Parked {
		w.due, w.unsettled = p.settleAt(s, e), true
	}
	s.mu.Unlock()
	p.parking.park(w)
	p.sweepIfMoved(s)
}

// settleAt is when nobody can be acting on an entry any more but us. The
// shard's lock is held.
func (p *Pipeline) settleAt(s *shard, e *ledger.Entry) time.Time {
	at := s.since.Add(p.cfg.ClaimMargin / 2)
	if e.Until.After(at) {
		at = e.Until
	}
	return at
}

// markEvery is how often a shard's checkpoint is written while there is
// something new: after a crash, so much is looked up in the results topic.
const markEvery = 5 * time.Second

// markSkew is how far a checkpoint stays behind, besides half a margin: it must
// not cover an answer that a former owner's late write, or a new owner whose
// clock is behind ours, brings in.
const markSkew = 10 * time.Second

// mark keeps the shard's ledger short to restore: it writes checkpoints,
// forgets what has left the window, and rewrites old parked records.
func (p *Pipeline) mark(s *shard) {
	for sleep(s.ctx, markEvery) {
		now := stamp()
		s.mu.Lock()
		s.ledger.Forget(s.forgetAt(now, p.cfg.Window))
		published := s.ledger.Checkpoint(now.Add(-markSkew - p.cfg.ClaimMargin/2))
		if s.hasRead() != readAll {
			published = s.marked // an answer of the former owner may be there that we have not read
		}
		checkpoints := []ledger.Record{{Step: ledger.Checkpoint, Published: &published}}
		due := s.marked.Before(s.answered) && published.After(s.marked)
		if now.Sub(s.ledger.ClosedAt()) >= p.cfg.Window/4 {
			if closing := s.ledger.Closing(published, s.ahead()); closing != nil {
				checkpoints, due = closing, true
			}
		}
		if due = due || s.markDue(now, p.cfg.Window); due {
			s.ledger.Mark(&checkpoints[0], s.marks())
		}
		stale := s.ledger.Stale(now.Add(-p.cfg.Window / 2))
		s.mu.Unlock()
		if !p.owns(s) {
			continue
		}
		if due {
			p.writeCheckpoints(s, checkpoints, now)
		}
		for _, e := range stale {
			p.rewrite(s, e)
		}
		p.keepFollowUps(s, now)
		p.keepOrders(s, now)
		p.summarize(s, now)
	}
}

func (p *Pipeline) writeCheckpoints(s *shard, checkpoints []ledger.Record, now time.Time) {
	values := make([][]byte, len(checkpoints))
	for i, r := range checkpoints {
		values[i] = r.Encode()
		if !p.writeLedger(s, nil, values[i], now) {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range checkpoints {
		s.marked = *r.Published
		s.ledger.Note("", r, values[i], now)
	}
}

// rewrite writes a parked record again as it is.
func (p *Pipeline) rewrite(s *shard, e *ledger.Entry) {
	s.mu.Lock()
	requestID, value := e.Parking()
	s.mu.Unlock()
	now := stamp()
	if !p.owns(s) || !p.writeLedger(s, []byte(requestID), value, now) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ledger.Apply([]byte(requestID), value, now); err != nil {
		p.log.Error("taking in a parked record that was rewritten", "partition", s.id, "error", err)
	}
}

// writeLedger writes a record that is about no single step of a request.
func (p *Pipeline) writeLedger(s *shard, key, value []byte, at time.Time) bool {
	err := p.parts.Writer.Write(s.ctx, event.Record{Topic: p.cfg.Topics.Ledger, Partition: s.id, Key: key, Value: value, Time: at})
	if err != nil && s.ctx.Err() == nil {
		p.log.Warn("writing to the ledger", "partition", s.id, "error", err)
	}
	return err == nil
}
