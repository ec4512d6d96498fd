package pipeline

import (
	"context"
	"errors"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// An operator steers a running group by orders (ledger.Order). The command writes
// an order to the ledger of every shard, and then as a signal, which the replicas
// act on at once; a replica that missed the signal meets the order when it next
// takes a shard over, and tells the others. Owners write the orders in force
// again before they leave the window (keepOrders), and to shards whose ledger
// lacks them, so that no order is lost with a shard, a replica or a signal.

// orders are the orders that this replica knows: of each subject the newest. It
// is safe for concurrent use.
type orders struct {
	// acting is held while an order is taken in and acted on, so that the last
	// that is acted on is the newest.
	acting sync.Mutex

	mu      sync.RWMutex // guards what follows
	newest  map[string]ledger.Order
	paused  map[string]struct{} // campaigns
	weights map[string]float64  // by campaign

	withdrawn *withdrawals
}

func newOrders() *orders {
	return &orders{
		newest: map[string]ledger.Order{}, paused: map[string]struct{}{}, weights: map[string]float64{},
		withdrawn: newWithdrawals(),
	}
}

// take takes in an order; false says that it, or a newer one, was known.
func (o *orders) take(order ledger.Order) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, ok := o.newest[order.Subject()]
	if ok && !order.Newer(known) {
		return false
	}
	o.newest[order.Subject()] = order
	switch {
	case order.Kind == ledger.Withdraw:
		o.withdrawn.add(order)
	case order.Campaign == "":
	case order.Kind == ledger.Pause:
		o.paused[order.Campaign] = struct{}{}
	case order.Kind == ledger.Resume:
		delete(o.paused, order.Campaign)
	case order.Kind == ledger.Weight && order.InForce():
		o.weights[order.Campaign] = order.Value
	case order.Kind == ledger.Weight:
		delete(o.weights, order.Campaign)
	}
	return true
}

// weight returns what a campaign's share is proportional to.
func (o *orders) weight(campaign string) float64 {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if w, ok := o.weights[campaign]; ok {
		return w
	}
	return 1
}

// pauses tells whether a campaign is paused.
func (o *orders) pauses(campaign string) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	_, paused := o.paused[campaign]
	return paused
}

// pausedCampaigns returns how many campaigns are paused.
func (o *orders) pausedCampaigns() int {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return len(o.paused)
}

// kept returns the orders that must stay in the ledgers: those in force, and
// those that take another back as long as a record of that one may be read.
// Withdrawals that have had their time are forgotten.
func (o *orders) kept(now time.Time, c *Config) (kept []ledger.Order) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for subject, order := range o.newest {
		age := now.Sub(order.IssuedAt)
		switch {
		case c.hadItsTime(order, now):
			delete(o.newest, subject)
			o.withdrawn.forget(order)
		case order.InForce(), age <= c.Window:
			kept = append(kept, order)
		case age > 2*c.Window:
			// It was last written a window after it was issued at the latest, so
			// no ledger has it any more, nor anything older.
			delete(o.newest, subject)
		}
	}
	return kept
}

// errHeld: an order keeps calls for the request from being made.
var errHeld = errors.New("paused by order")

// held returns errWithdrawn if the request is taken back, and errHeld if an order
// keeps calls for it from being made.
func (p *Pipeline) held(it *item) error {
	if p.takenBack(it) {
		return errWithdrawn
	}
	if p.lines[it.request.Vendor].brake.on() || p.orders.pauses(it.request.CampaignID) {
		return errHeld
	}
	return nil
}

// PausedByOrder tells whether calls to the vendor are paused by an operator's
// order. That is no fault: requests are kept until the order is taken back.
func (p *Pipeline) PausedByOrder(vendor event.Vendor) bool {
	l := p.lines[vendor]
	return l != nil && l.brake.on()
}

// obey acts on an order, unless it is known already or outdated; then it returns
// false.
func (p *Pipeline) obey(o ledger.Order) bool {
	if p.cfg.hadItsTime(o, time.Now()) {
		return false
	}
	p.orders.acting.Lock()
	defer p.orders.acting.Unlock()
	if !p.orders.take(o) {
		return false
	}
	p.log.Info("order taken", "order", o.ID, "kind", string(o.Kind), "vendor", o.Vendor, "campaign", o.Campaign,
		"requests", len(o.Requests), "value", o.Value, "issued_at", o.IssuedAt)
	if o.Kind == ledger.Withdraw {
		p.recall()
		return true
	}
	if o.Campaign != "" {
		p.obeyForCampaign(o)
		return true
	}
	l := p.lines[o.Vendor]
	switch {
	case l == nil: // not enabled here; it is kept for the others
	case o.Kind == ledger.Rate:
		l.lane.SetRate(o.Value)
	default:
		l.pause(o.Kind == ledger.Pause)
		p.parking.release()
	}
	return true
}

func (p *Pipeline) obeyForCampaign(o ledger.Order) {
	for _, l := range p.lines {
		switch o.Kind {
		case ledger.Weight:
			l.queue.reweigh()
		case ledger.Resume:
			l.queue.thaw()
		}
	}
	if o.Kind == ledger.Resume {
		p.parking.release()
	}
}

// obeyLedger acts on the orders in a shard's ledger. One that was new to us may
// be new to others: its signal was lost, or never sent.
func (p *Pipeline) obeyLedger(s *shard) {
	s.mu.Lock()
	all := s.ledger.Orders()
	s.mu.Unlock()
	for _, o := range all {
		if p.obey(o) {
			p.wg.Go(func() { p.passOn(o) })
		}
	}
}

// passOn tells the other replicas of an order. It gives up quickly: they will
// meet it in a ledger.
func (p *Pipeline) passOn(o ledger.Order) {
	ctx, cancel := context.WithTimeout(p.take, announceTime)
	defer cancel()
	if err := p.send(ctx, signal{Kind: orderKind, Order: &o}); err != nil && p.take.Err() == nil {
		p.log.Warn("telling the other replicas of an order", "order", o.ID, "error", err)
	}
}

// keepOrders writes orders to a shard's ledger that it lacks, or whose last
// record there is older than half the window.
func (p *Pipeline) keepOrders(s *shard, now time.Time) {
	for _, o := range p.orders.kept(now, &p.cfg) {
		s.mu.Lock()
		there := s.ledger.Holds(o, now.Add(-p.cfg.Window/2))
		s.mu.Unlock()
		if there || !p.owns(s) {
			continue
		}
		r := o.Record()
		value := r.Encode()
		if p.writeLedger(s, []byte(o.Key()), value, now) {
			o.Requests = nil // they are kept once, and not for each shard
			s.mu.Lock()
			s.ledger.Note(o.Key(), o.Record(), value, now)
			s.mu.Unlock()
		}
	}
}
