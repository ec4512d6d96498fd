package pipeline

import (
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// What calls cost is counted in the ledger of each shard, and a cap is split over
// the shards: each owner holds its shard's share, and so the group holds the cap,
// without a word between replicas. Before a call, the most that it may cost is
// reserved, in memory and with the claim; the answer turns that into the true
// cost. Only what certainly led to no call is given back.

// SpendConfig says what calls cost, and how much may be spent.
type SpendConfig struct {
	// Currency is the ISO 4217 code of all amounts.
	Currency string
	// PerDay caps what all calls of a UTC day cost, PerCampaign those of one
	// campaign, over all days; 0 is no cap.
	PerDay, PerCampaign event.Amount
	// Prices are what an answer costs, by vendor and outcome. An outcome that
	// is not there costs nothing; of a vendor that is not there nothing is
	// counted, and no cap holds its calls back.
	Prices map[event.Vendor]map[event.Outcome]event.Amount
}

// highest returns the most that an answer of the vendor may cost.
func (c SpendConfig) highest(vendor event.Vendor) (most event.Amount) {
	for _, price := range c.Prices[vendor] {
		most = max(most, price)
	}
	return most
}

// begun tells whether the vendor is at the request, or may have been: then what
// is reserved stays so, whatever day it is.
func (it *item) begun() bool { return it.state != "" || !it.unknownSince.IsZero() }

// toReserve returns what must be reserved for a call of the request at a time.
func (p *Pipeline) toReserve(it *item, at time.Time) ledger.Spend {
	if it.begun() && it.reserved.Reserved > 0 {
		return it.reserved
	}
	most := p.cfg.Spend.highest(it.request.Vendor)
	if most == 0 {
		v := it.reserved
		v.Reserved = 0 // there were prices when it was
		return v
	}
	return ledger.Spend{
		Campaign: it.request.CampaignID, Day: ledger.DayOf(at), Reserved: most, Lost: it.reserved.Lost,
	}
}

// reserve reserves what a call of the request at a time may cost, in memory,
// unless a cap keeps it from being made.
func (p *Pipeline) reserve(it *item, at time.Time) *capError {
	v := p.toReserve(it, at)
	if v == it.reserved {
		return nil
	}
	total, s := p.totalShards(), it.shard
	s.mu.Lock()
	over := p.affordsLocked(it, v, total, at)
	if over == nil {
		s.ledger.Reserve(it.entry, v)
		it.reserved = v
	}
	s.mu.Unlock()
	p.reportCap(s, over)
	return over
}

// overtaken tells whether midnight has passed since the call was reserved: it
// would be charged to a day on which it is not made.
func (it *item) overtaken(now time.Time) bool {
	return it.reserved.Reserved > 0 && !it.begun() && it.reserved.Day != ledger.DayOf(now)
}

// setReserved changes what the request may cost, in memory.
func (it *item) setReserved(v ledger.Spend) {
	if v.Reserved == 0 && v.Lost == 0 {
		v = ledger.Spend{}
	}
	it.reserved = v
	it.shard.mu.Lock()
	defer it.shard.mu.Unlock()
	it.shard.ledger.Reserve(it.entry, v)
}

// unreserve gives back what was reserved for an attempt that certainly led to no
// charge.
func (p *Pipeline) unreserve(it *item, d decision) {
	switch d.action {
	case keep, later, retry, hold, capped:
	default:
		return
	}
	if it.reserved.Reserved == 0 || it.unsettled || it.begun() || d.unknown {
		return
	}
	v := it.reserved
	v.Reserved = 0
	it.setReserved(v)
}

// lose counts what was reserved as lost: the call is repeated, and nobody knows
// whether it was made.
func (p *Pipeline) lose(it *item) {
	v := it.reserved
	it.repeated += v.Reserved
	v.Lost, v.Reserved = v.Lost+v.Reserved, 0
	it.setReserved(v)
}

// countRepeat counts what the repeat of a call may cost in addition, now that it
// is made.
func (p *Pipeline) countRepeat(it *item) {
	if it.repeated > 0 {
		p.metrics.duplicateSpend.WithLabelValues(string(it.request.Vendor)).Add(it.repeated.Units())
		it.repeated = 0
	}
}

// settleUp returns what an answer costs, and its currency, empty if its vendor
// has no prices; and makes the request's reservation its charge.
func (p *Pipeline) settleUp(it *item, d decision) (cost event.Amount, currency string) {
	prices, priced := p.cfg.Spend.Prices[it.request.Vendor]
	ours := d.free || d.action == giveUp
	if !ours || d.action == giveUp && it.calls > 0 {
		cost = prices[d.verdict.Outcome]
	}
	v := it.reserved
	if v == (ledger.Spend{}) {
		v.Campaign, v.Day = it.request.CampaignID, ledger.DayOf(time.Now())
	}
	if ours && (d.unknown || it.begun()) {
		v.Lost += v.Reserved // it may have been made, and nobody will ask again
	}
	v.Reserved, v.Cost = 0, cost
	it.reserved = v
	if priced {
		currency = p.cfg.Spend.Currency
	}
	return cost, currency
}

// spendOf returns what a record says of the request's cost, nil if nothing.
func spendOf(it *item) *ledger.Spend {
	v := it.reserved
	if v.Reserved == 0 && v.Lost == 0 && v.Cost == 0 {
		return nil
	}
	return &v
}

// summaryEvery is how often a shard's summary is written while something is
// spent: after a restart, the answers of so long are counted one by one.
const summaryEvery = 3 * time.Minute

// summarize writes what the shard's requests cost, now and then, so that it is
// known when their answers have left the window. Up to when, is the same as for
// a checkpoint; and while a former owner may still write, there is none.
func (p *Pipeline) summarize(s *shard, now time.Time) {
	if s.hasRead() != readAll || !p.owns(s) {
		return
	}
	through := now.Add(-markSkew - p.cfg.ClaimMargin/2)
	s.mu.Lock()
	r, due := s.ledger.Summary(through, min(summaryEvery, p.cfg.Window/8), p.cfg.Window/3)
	s.mu.Unlock()
	if !due {
		return
	}
	value := r.Encode()
	if p.writeLedger(s, nil, value, now) {
		s.mu.Lock()
		s.ledger.Note("", r, value, now)
		s.mu.Unlock()
	}
}
