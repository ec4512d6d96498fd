package pipeline

import (
	"fmt"
	"math/rand/v2"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// spendCap is one of the caps; the zero value is none.
type spendCap uint8

const (
	noCap spendCap = iota
	dayCap
	campaignCap
	spendCaps // how many there are
)

// waitersByCap counts waiters by the cap that holds them back.
type waitersByCap [spendCaps]int

// String returns the metric label.
func (c spendCap) String() string {
	return [spendCaps]string{noCap: "none", dayCap: "day", campaignCap: "campaign"}[c]
}

// share returns a shard's share of a cap. Those of all shards make the cap,
// exactly.
func share(limit event.Amount, shard, total int) event.Amount {
	part := limit / event.Amount(total)
	if event.Amount(shard) < limit%event.Amount(total) {
		part++
	}
	return part
}

// capError is that a call does not fit in its shard's share of a cap.
type capError struct {
	by       spendCap
	campaign string
	// share is all that may be spent, spent what is charged to it.
	share, spent event.Amount
	// wait is when to look again.
	wait time.Duration
	// passing: what keeps the call from being made is only reserved, and may
	// yet be given back.
	passing bool
}

func (e *capError) Error() string { return fmt.Sprintf("spend cap reached: %s", e.by) }

const (
	// campaignCapWait is the wait for a campaign's cap to be raised. It needs a
	// restart, and whoever restarts looks at once.
	campaignCapWait = time.Hour
	// passingCapWait is the wait for what is reserved, which most often is a
	// call under way; at least half of it.
	passingCapWait = time.Minute
	// midnightSpread is over how long after midnight requests come up.
	midnightSpread = 10 * time.Second
)

// affords says which cap keeps a call of the request from being made at a time,
// nil if none does. The first time that a shard meets a cap is logged.
func (p *Pipeline) affords(it *item, at time.Time) *capError {
	v := p.toReserve(it, at)
	if v == it.reserved {
		return nil
	}
	total, s := p.totalShards(), it.shard
	s.mu.Lock()
	over := p.affordsLocked(it, v, total, at)
	s.mu.Unlock()
	p.reportCap(s, over)
	return over
}

// affordsLocked is affords for what is to be reserved. The lock of the shard is held.
func (p *Pipeline) affordsLocked(it *item, v ledger.Spend, total int, at time.Time) *capError {
	if v.Reserved == 0 {
		return nil
	}
	s, c := it.shard, &p.cfg.Spend
	own := it.reserved.Reserved + it.reserved.Lost
	check := func(by spendCap, limit, charged, reserved event.Amount, wait time.Duration) *capError {
		part := share(limit, s.id, total)
		if limit == 0 || charged+reserved+v.Reserved+v.Lost <= part {
			return nil
		}
		over := &capError{by: by, share: part, spent: charged, wait: wait}
		if by == campaignCap {
			over.campaign = v.Campaign
		}
		if charged+v.Reserved+v.Lost <= part {
			over.passing, over.wait = true, passingCapWait/2+rand.N(passingCapWait/2)
		}
		return over
	}
	if v.Campaign != "" {
		charged, reserved := s.ledger.SpentFor(v.Campaign)
		if over := check(campaignCap, c.PerCampaign, charged, reserved-own, campaignCapWait+rand.N(time.Minute)); over != nil {
			return over
		}
	}
	charged, reserved := s.ledger.SpentOn(v.Day)
	if it.reserved.Day == v.Day {
		reserved -= own
	}
	return check(dayCap, c.PerDay, charged, reserved, v.Day.End().Sub(at)+rand.N(midnightSpread))
}

// reportCap logs that a cap is reached, unless it has been for the shard.
func (p *Pipeline) reportCap(s *shard, over *capError) {
	if over == nil || over.passing || !s.meets(capMet{over.by, over.campaign, ledger.DayOf(time.Now())}) {
		return
	}
	p.log.Warn("spend cap reached: requests are held back", "partition", s.id, "cap", over.by.String(),
		"campaign", over.campaign, "share", over.share.String(), "spent", over.spent.String(), "currency", p.cfg.Spend.Currency)
}

// capMet is a cap that was reached and reported.
type capMet struct {
	by       spendCap
	campaign string
	day      ledger.Day
}

// meets tells whether it is the first time that a cap is reached on the shard:
// today's, or a campaign's at all.
func (s *shard) meets(c capMet) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.by != dayCap {
		c.day = 0
	}
	if _, met := s.capsMet[c]; met {
		return false
	}
	if s.capsMet == nil {
		s.capsMet = map[capMet]struct{}{}
	}
	s.capsMet[c] = struct{}{}
	return true
}

// totalShards returns how many shards there are.
func (p *Pipeline) totalShards() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(1, p.total)
}

// putOff parks a request whose call does not fit under a cap, in the ledger, so
// that it holds up nobody else's, unless so many are that they would take too
// much memory.
func (p *Pipeline) putOff(it *item, d decision) {
	due := it.untilExpired(time.Now().Add(d.after))
	if it.step() != ledger.Claimed && p.parking.countCapped() >= p.maxHeld() {
		p.parking.park(waiter{due: due, shard: it.shard, it: it, capped: d.by})
		return
	}
	r := p.parkedRecord(it)
	r.Why, r.Due = whySpend, &due
	it.keepDoubt(&r)
	p.settleDown(it, r)
}

// putBack parks a request that lives in the ledger and is due, if a call of it
// does not fit under a cap; its record there stays as it is.
func (p *Pipeline) putBack(w waiter, it *item) bool {
	now := time.Now()
	if it.unsettled || it.expired(now) {
		return false
	}
	over := p.affords(it, now)
	if over == nil {
		return false
	}
	w.capped, w.due = over.by, it.untilExpired(now.Add(over.wait))
	p.parking.park(w)
	return true
}

// untilExpired returns the time at which a request that waits is looked at: when
// it expires if that is before due.
func (it *item) untilExpired(due time.Time) time.Time {
	if expiry := it.request.NotAfter.Add(time.Millisecond); !it.request.NotAfter.IsZero() && it.state == "" && expiry.Before(due) {
		return expiry
	}
	return due
}
