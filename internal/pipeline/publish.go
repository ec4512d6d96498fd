package pipeline

import (
	"errors"
	"fmt"
	"time"

	"reauth/internal/event"
	"reauth/internal/stream"
	"reauth/internal/vendors"
)

// result makes the event that ends a request.
func (p *Pipeline) result(it *item, v vendors.Verdict) event.Result {
	now := time.Now()
	r := it.request
	return event.Result{
		RequestID: r.RequestID, CampaignID: r.CampaignID, Vendor: r.Vendor,
		SubmissionID: r.SubmissionID, ApplicantID: r.ApplicantID, UserID: r.UserID,
		Outcome: v.Outcome, Reasons: v.Reasons, VendorCodes: v.Codes, Scores: v.Scores,
		VendorReference: v.Reference, Liveness: v.Liveness,
		Calls: it.calls, Attempts: it.attempts,
		SelfieSHA256: it.sha256, SelfieBytes: it.bytes,
		TimingsMS: event.Timings{
			Queued: it.spent.queued.Milliseconds(),
			Selfie: it.spent.selfie.Milliseconds(),
			Permit: it.spent.permit.Milliseconds(),
			Vendor: it.spent.vendor.Milliseconds(),
			Total:  max(0, now.Sub(it.record.Time)).Milliseconds(),
		},
		Revision:    1,
		Final:       true,
		Source:      event.Source{Topic: it.record.Topic, Partition: it.record.Partition, Offset: it.record.Offset},
		CompletedAt: now.UTC(),
	}
}

// finish publishes a request's result, with what goes before it, and counts the
// request as done once all in-sync replicas have it.
func (p *Pipeline) finish(it *item, r event.Result, before ...event.Record) {
	rec, err := r.Record(p.cfg.Topics.Results, p.cfg.Source)
	if err != nil {
		// A result is made of checked parts: this is a bug, and going on
		// would lose the request.
		p.fail(err)
		return
	}
	if !p.write(append(before, rec)...) {
		return
	}
	p.metrics.published(r, time.Since(it.fetched))
	p.done(it)
}

// bury publishes a request that we give up on: its original as a dead letter,
// and its result.
func (p *Pipeline) bury(it *item, d decision) {
	r := it.request
	now := time.Now()
	dead := event.DeadLetter{
		Class: classOf(d.cause), Stage: d.stage, Reason: d.reason, Message: d.cause.Error(),
		Group: p.cfg.Group, DeliveryCount: it.attempts, FirstSeen: it.fetched, FailedAt: now,
		RequestID: r.RequestID, Vendor: r.Vendor, CampaignID: r.CampaignID,
	}.Record(p.cfg.Topics.Dead, it.record)
	p.metrics.dead(d.stage, d.reason)
	p.finish(it, p.result(it, vendors.Verdict{
		Outcome: event.Failed, Reasons: []event.Reason{d.reason}, Codes: vendorCodes(d.cause), Liveness: event.LivenessNone,
	}), dead)
}

// refuse publishes a record that is no request as a dead letter.
func (p *Pipeline) refuse(it *item, invalid *event.InvalidError) {
	reason := event.Reason(invalid.Faults[0].Code)
	dead := event.DeadLetter{
		Class: "invalid", Stage: invalid.Stage, Reason: reason, Message: invalid.Error(),
		Group: p.cfg.Group, DeliveryCount: 1, FirstSeen: it.fetched, FailedAt: time.Now(),
		RequestID: invalid.RequestID, Vendor: invalid.Vendor, CampaignID: invalid.CampaignID,
	}.Record(p.cfg.Topics.Dead, it.record)
	if !p.write(dead) {
		return
	}
	p.metrics.dead(invalid.Stage, reason)
	p.log.Warn("record refused", "topic", it.record.Topic, "partition", it.record.Partition, "offset", it.record.Offset, "error", invalid)
	p.done(it)
}

// write publishes records; false says that the process stops and they may or
// may not have been written, so that what they stand for is not done.
func (p *Pipeline) write(recs ...event.Record) bool {
	for {
		err := p.parts.Writer.Write(p.work, recs...)
		switch {
		case err == nil:
			return true
		case p.work.Err() != nil:
			return false
		case !errors.Is(err, stream.ErrTooLarge):
			p.fail(fmt.Errorf("publishing: %w", err)) // the writer repeats by itself what may pass
			return false
		}
		p.metrics.stuck.Inc()
		p.log.Error("a record is too large for its topic: raise the topic's max.message.bytes; trying again later",
			"topic", recs[0].Topic, "partition", recs[0].Partition, "error", err, "after", p.cfg.StuckRetry)
		if !sleep(p.work, p.cfg.StuckRetry) {
			return false
		}
	}
}

// classOf names the class of a cause, for the dead letter's header.
func classOf(err error) string {
	var vendor *vendors.Error
	if errors.As(err, &vendor) {
		return vendor.Kind.String()
	}
	return "selfie"
}

// vendorCodes returns the vendor's own code of a cause, if there is one.
func vendorCodes(err error) []string {
	var vendor *vendors.Error
	if errors.As(err, &vendor) && vendor.Code != "" {
		return []string{vendor.Code}
	}
	return nil
}

// done closes an item: its record counts, and its room is free.
func (p *Pipeline) done(it *item) {
	if !it.shard.finish(it.record) {
		p.metrics.afterMove.Inc()
		p.log.Info("result published for a shard that has moved; its new owner may call again",
			"request_id", it.request.RequestID, "partition", it.shard.id, "offset", it.record.Offset)
	}
	p.forget(it)
}

// forget gives an item's room back without counting its record as done.
func (p *Pipeline) forget(it *item) {
	<-it.shard.room
	p.backlog.Release(min(it.weight(), p.cfg.MaxBacklog))
}

// fail stops the process with an error: state is in doubt, and reading again
// from the last commit mends it.
func (p *Pipeline) fail(err error) {
	p.log.Error("stopping", "error", err)
	p.stop(err)
}
