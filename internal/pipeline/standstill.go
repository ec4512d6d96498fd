package pipeline

import (
	"errors"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/stream"
)

// The window of a shard's ledger is time in which the group worked. While nobody
// does, as over a weekend or a night, nobody writes parked requests, orders and totals
// again, and requests that are done wait for their offsets to be committed. So silences
// are left out of the window, wherever in it they are: it begins as much earlier. What
// taking a shard over writes does not end one.

// silences is the number of parts that a window is cut into: a silence of a part counts.
const silences = 8

// windowBegin returns where in the ledger the shard's window begins, and the length
// of the silences that are left out. It goes back part by part, and over a silence at
// once.
func (p *Pipeline) windowBegin(s *shard) (start int64, silence time.Duration, err error) {
	first, err := p.ledgerAt(s, time.Unix(0, 0))
	if err != nil {
		return 0, 0, err
	}
	if start, err = p.parts.Offsets.End(s.ctx, p.cfg.Topics.Ledger, s.id); err != nil {
		return 0, 0, err
	}
	at := time.Now()
	for left := p.cfg.Window + p.cfg.ClaimMargin; left > 0 && start > first; { // a call may follow its claim so late
		part := min(left, p.cfg.Window/silences)
		begin, err := p.ledgerAt(s, at.Add(-part))
		if err != nil {
			return 0, 0, err
		}
		if begin < start {
			worked, err := p.worked(s, begin, start)
			if err != nil {
				return 0, 0, err
			}
			if start, at = begin, at.Add(-part); worked {
				left -= part
			} else {
				silence += part
			}
			continue
		}
		before, err := p.timeOf(s, start-1)
		if err != nil || !before.Before(at.Add(-part)) { // or it is gone
			return start, silence, err
		}
		silence += at.Sub(before)
		at = before
	}
	return start, silence, nil
}

// worked tells whether anything but barriers is in a part of the ledger: a group that is
// started over and over, and gets no further than to write those, does not work.
func (p *Pipeline) worked(s *shard, begin, end int64) (worked bool, err error) {
	r, err := p.readWhile(s.ctx, p.cfg.Topics.Ledger, s.id, begin, end, func(rec event.Record) bool {
		worked = ledger.BarrierOf(rec.Value) == 0
		return !worked
	})
	if err != nil {
		return false, err
	}
	return worked, r.Close()
}

// ledgerAt returns the position of the shard's first ledger record of the time or
// later.
func (p *Pipeline) ledgerAt(s *shard, t time.Time) (int64, error) {
	return p.parts.Offsets.OffsetAt(s.ctx, p.cfg.Topics.Ledger, s.id, t)
}

// timeOf returns the time of the ledger record at a position, now if it is gone.
func (p *Pipeline) timeOf(s *shard, position int64) (time.Time, error) {
	rec, err := p.recordAt(s, p.cfg.Topics.Ledger, position)
	_, gap := errors.AsType[*stream.GapError](err)
	switch {
	case gap:
		return time.Now(), nil // deleted meanwhile
	case errors.Is(err, stream.ErrControl):
		return rec.Time, nil // a marker has one, too
	}
	return rec.Time, err
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
