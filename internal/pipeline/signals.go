package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"reauth/internal/event"
)

// signal is what replicas tell each other on the signals topic. It is a hint:
// one that is lost or late costs time, never a request.
type signal struct {
	Kind string `json:"kind"`
	// From is the process that sent it, which need not hear it.
	From   string       `json:"from"`
	Vendor event.Vendor `json:"vendor"`
	// Until is when what the signal says ends.
	Until time.Time `json:"until"`
}

// throttled: the vendor asked for fewer calls, and for none before Until.
const throttled = "throttled"

// maxSignalBytes bounds what is decoded.
const maxSignalBytes = 4 << 10

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
	return s, nil
}

// announce tells the other replicas that a vendor asked for fewer calls. It
// gives up quickly: the others will be told by the vendor as well.
func (p *Pipeline) announce(vendor event.Vendor, until time.Time) {
	value, err := json.Marshal(signal{Kind: throttled, From: p.cfg.Owner, Vendor: vendor, Until: until})
	if err != nil {
		return // no field can fail
	}
	ctx, cancel := context.WithTimeout(p.work, announceTime)
	defer cancel()
	if err := p.parts.Writer.Write(ctx, event.Record{Topic: p.cfg.Topics.Signals, Value: value}); err != nil {
		p.log.Warn("telling the other replicas to back off", "vendor", vendor, "error", err)
	}
}

const announceTime = 5 * time.Second

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
	if s.Kind != throttled || s.From == p.cfg.Owner || l == nil || !time.Now().Before(s.Until) {
		return
	}
	l.lane.BackOff(s.Until)
	p.log.Info("backing off as another replica was told to", "vendor", s.Vendor, "until", s.Until)
}
