package pipeline

import (
	"errors"
	"time"

	"reauth/internal/stream"
)

// The window of a shard's ledger is time in which the group worked. While nobody
// does, as over a weekend, nobody writes parked requests, orders and totals again,
// and requests that are done wait for their offsets to be committed. So a silence in
// which the window begins is left out of it: the window begins as much earlier.

// windowBegin returns where in the ledger the shard's window begins, and the length
// of the silence that is left out.
func (p *Pipeline) windowBegin(s *shard) (start int64, silence time.Duration, err error) {
	begin := time.Now().Add(-p.cfg.Window - p.cfg.ClaimMargin) // a call may follow its claim so late
	if start, err = p.ledgerAt(s, begin); err != nil {
		return 0, 0, err
	}
	// The least that counts spares the usual restore the reading of two records.
	heard, err := p.ledgerAt(s, begin.Add(p.cfg.Window/8))
	if err != nil || heard > start {
		return start, 0, err
	}
	if first, err := p.ledgerAt(s, time.Unix(0, 0)); err != nil || first >= start {
		return start, 0, err
	}
	before, after, err := p.timesAround(s, start)
	if err != nil || before.IsZero() {
		return start, 0, err
	}
	silence = after.Sub(before)
	start, err = p.ledgerAt(s, begin.Add(-silence))
	return start, silence, err
}

// ledgerAt returns the position of the shard's first ledger record of the time or
// later.
func (p *Pipeline) ledgerAt(s *shard, t time.Time) (int64, error) {
	return p.parts.Offsets.OffsetAt(s.ctx, p.cfg.Topics.Ledger, s.id, t)
}

// timesAround returns the times of the ledger records before a position and at it,
// now for one that is not there yet, and zero if the one before it is gone.
func (p *Pipeline) timesAround(s *shard, position int64) (before, after time.Time, err error) {
	end, err := p.parts.Offsets.End(s.ctx, p.cfg.Topics.Ledger, s.id)
	if err != nil {
		return before, after, err
	}
	r, err := p.parts.OpenReader(p.cfg.Topics.Ledger, s.id, position-1)
	if err != nil {
		return before, after, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	rec, err := r.Fetch(s.ctx)
	var gap *stream.GapError
	if errors.As(err, &gap) {
		return before, after, nil // deleted meanwhile
	}
	if before = rec.Time; err != nil || position >= end {
		return before, time.Now(), err
	}
	rec, err = r.Fetch(s.ctx)
	return before, rec.Time, err
}

// forgetAt is the time whose window the shard remembers: what was read from before a
// silence must last until the offsets that lagged behind have had as long again to be
// committed. The shard's lock is held.
func (s *shard) forgetAt(now time.Time, window time.Duration) time.Time {
	if now.Sub(s.since) > window {
		return now
	}
	return now.Add(-s.silence)
}

// remembers returns how far back the ledger went when the shard became ours.
func (s *shard) remembers(window time.Duration) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since.Add(-window - s.silence)
}
