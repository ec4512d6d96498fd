package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

// signal is what replicas tell each other on the signals topic. It is a hint:
// one that is lost or late costs time, never a request.
type signal struct {
	Kind string `json:"kind"`
	// From is the process that sent it, which need not hear it.
	From   string       `json:"from"`
	Vendor event.Vendor `json:"vendor"`
	// Until is when what the signal says ends.
	Until time.Time `json:"until,omitzero"`
	// State is the breaker's, as vendors.BreakerState writes it.
	State string `json:"state,omitempty"`
	// Reference and Outcome are those of vendors.News.
	Reference string        `json:"reference,omitempty"`
	Outcome   event.Outcome `json:"outcome,omitempty"`
	Order     *ledger.Order `json:"order,omitempty"`
	// At is what the sender's clock showed.
	At time.Time `json:"at,omitzero"`
}

// The kinds of signals.
const (
	// throttled: the vendor asked for fewer calls, and for none before Until.
	throttled = "throttled"
	// breakerKind: a breaker opened, began to probe, or closed; the first two
	// hold until Until.
	breakerKind = "breaker"
	// newsKind: the vendor's webhook told of news.
	newsKind = "news"
	// orderKind: an operator gave an order.
	orderKind = "order"
	// clockKind: the sender says what its clock shows.
	clockKind = "clock"
)

// maxSignalBytes bounds what is decoded.
const maxSignalBytes = 32 << 10

// signalsBack is how far back a starting replica reads: no signal holds longer.
const signalsBack = 15 * time.Minute

// errSignal: the record is no signal that we know.
var errSignal = errors.New("not a signal")

// decodeSignal reads a record of the signals topic. Its errors quote nothing.
func decodeSignal(value []byte) (signal, error) {
	var s signal
	if len(value) > maxSignalBytes || json.Unmarshal(value, &s) != nil || s.Kind == "" {
		return signal{}, errSignal
	}
	if s.Kind == orderKind && (s.Order == nil || s.Order.Check() != nil) || s.Kind == clockKind && s.At.IsZero() {
		return signal{}, errSignal
	}
	return s, nil
}

// announce tells the other replicas that a vendor asked for fewer calls. It
// gives up quickly: the others will be told by the vendor as well.
func (p *Pipeline) announce(vendor event.Vendor, until time.Time) {
	if err := p.sendSoon(p.work, signal{Kind: throttled, Vendor: vendor, Until: until}); err != nil {
		p.log.Warn("telling the other replicas to back off", "vendor", vendor, "error", err)
	}
}

// announceBreaker tells the other replicas of the changes of a lane's breaker, one
// after another: in another order they would say something else. What is lost
// costs the others some calls, or some seconds.
func (p *Pipeline) announceBreaker(l *line) {
	vendor := l.lane.Adapter().Name()
	for {
		select {
		case n := <-l.breakerNews:
			err := p.sendSoon(p.take, signal{Kind: breakerKind, Vendor: vendor, State: n.State.String(), Until: n.Until})
			if err != nil && p.take.Err() == nil {
				p.log.Warn("telling the other replicas of the breaker", "vendor", vendor, "state", n.State.String(), "error", err)
			}
		case <-p.take.Done():
			return
		}
	}
}

// Tell passes news on to the replica that owns the request, whichever it is. It
// returns nil once all in-sync replicas of the signals topic have it.
func (p *Pipeline) Tell(ctx context.Context, n vendors.News) error {
	return p.send(ctx, signal{Kind: newsKind, Vendor: n.Vendor, Reference: n.Reference, Outcome: n.Outcome})
}

// send writes a signal.
func (p *Pipeline) send(ctx context.Context, s signal) error {
	s.From = p.cfg.Owner
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return p.parts.Writer.Write(ctx, event.Record{Topic: p.cfg.Topics.Signals, Value: value})
}

const announceTime = 5 * time.Second

// sendSoon writes a signal that is of little use later.
func (p *Pipeline) sendSoon(ctx context.Context, s signal) error {
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	return p.send(ctx, s)
}

// listen reads the signals topic until the process stops. Without it a replica
// works on, only later informed.
func (p *Pipeline) listen() {
	for {
		err := p.follow()
		if p.take.Err() != nil {
			return
		}
		p.metrics.stuck.Inc()
		p.log.Error("reading signals; trying again later", "error", err, "after_ms", p.cfg.StuckRetry.Milliseconds())
		if !sleep(p.take, p.cfg.StuckRetry) {
			return
		}
	}
}

func (p *Pipeline) follow() error {
	start, err := p.parts.Offsets.OffsetAt(p.take, p.cfg.Topics.Signals, 0, time.Now().Add(-signalsBack))
	if err != nil {
		return err
	}
	r, err := p.parts.OpenReader(p.cfg.Topics.Signals, 0, start)
	if err != nil {
		return err
	}
	p.clocks.listen()
	for {
		rec, err := p.fetchAny(p.take, r)
		if err != nil {
			return errors.Join(err, r.Close())
		}
		if rec.Value != nil {
			p.hear(rec)
		}
	}
}

// hear acts on one signal. A kind that is not known is from a later version.
func (p *Pipeline) hear(rec event.Record) {
	s, err := decodeSignal(rec.Value)
	if err != nil {
		p.metrics.unreadable.WithLabelValues(p.cfg.Topics.Signals).Inc()
		p.log.Warn("signal ignored", "offset", rec.Offset, "error", err)
		return
	}
	l := p.lines[s.Vendor]
	switch {
	case s.Kind == orderKind:
		p.obey(*s.Order)
	case s.Kind == clockKind:
		p.clocks.hear(s.From, s.At)
	case l == nil:
	case s.Kind == throttled && s.From != p.cfg.Owner && time.Now().Before(s.Until):
		l.lane.BackOff(s.Until)
		p.log.Info("backing off as another replica was told to", "vendor", s.Vendor, "until", s.Until)
	case s.Kind == breakerKind && s.From != p.cfg.Owner:
		if state, err := vendors.ParseBreakerState(s.State); err == nil {
			l.lane.HearBreaker(s.From, rec.Time, vendors.BreakerNews{State: state, Until: s.Until})
		}
	case s.Kind == newsKind && s.Reference != "":
		p.parking.wake(s.Reference)
		p.reviews.add(vendors.News{Vendor: s.Vendor, Reference: s.Reference, Outcome: s.Outcome})
	}
}
