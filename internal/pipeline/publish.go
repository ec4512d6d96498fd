package pipeline

import (
	"errors"
	"fmt"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/stream"
	"reauth/internal/vendors"
)

// answerOf makes a request's answer from its verdict.
func (p *Pipeline) answerOf(it *item, d decision) ledger.Answer {
	now := time.Now()
	v := d.verdict
	cost, currency := p.settleUp(it, d)
	return ledger.Answer{
		Outcome: v.Outcome, Reasons: v.Reasons, Codes: v.Codes, Scores: v.Scores,
		Reference: v.Reference, Liveness: v.Liveness, SHA256: it.selfie.SHA256.String(), Bytes: it.selfie.Bytes, SelfieVersion: it.selfie.Version,
		TimingsMS: event.Timings{
			Queued: it.spent.queued.Milliseconds(),
			Selfie: it.spent.selfie.Milliseconds(),
			Permit: it.spent.permit.Milliseconds(),
			Vendor: it.spent.vendor.Milliseconds(),
			Total:  max(0, now.Sub(it.record.Time)).Milliseconds(),
		},
		CompletedAt: now.UTC(),
		Attempts:    it.attempts, Calls: it.calls,
		Cost: cost, Currency: currency,
		Revisable: v.Reference != "" && p.lines[it.request.Vendor].reviewer != nil,
	}
}

// failureOf makes the answer of a request that we give up on.
func (p *Pipeline) failureOf(it *item, d decision) ledger.Answer {
	d.verdict = vendors.Verdict{
		Outcome: event.Failed, Reasons: []event.Reason{d.reason}, Codes: vendorCodes(d.cause), Liveness: event.LivenessNone,
	}
	a := p.answerOf(it, d)
	a.Dead = &ledger.Dead{Class: classOf(d.cause), Stage: d.stage, Reason: d.reason, Message: d.cause.Error()}
	return a
}

// answer writes a request's answer to the ledger and publishes its result. If
// the shard has moved and the claim has ended, it does neither: the new owner
// finds out by itself.
func (p *Pipeline) answer(it *item, a ledger.Answer) {
	s, at := it.shard, stamp()
	s.mu.Lock()
	s.ledger.Answering(it.entry, at)
	s.mu.Unlock()
	r := ledger.Record{
		Step: ledger.Answered, Spend: spendOf(it), Claim: it.claim, Source: it.source(), Answer: &a,
		FollowUp: p.followUpOf(it, a, at), Revision: it.laterRevision(),
	}
	if a.Revisable {
		r.Revision = it.revision()
	}
	if !p.record(it, r, at) {
		return
	}
	s.hurryFollowUps()
	p.finish(it, a)
}

// finish publishes an answered request's result, with its original as a dead
// letter if it failed, and closes the request once all in-sync replicas have
// them.
func (p *Pipeline) finish(it *item, a ledger.Answer) {
	r := p.result(it, a)
	rec, err := r.Record(p.cfg.Topics.Results, p.cfg.Source)
	if err != nil {
		// A result is made of checked parts: this is a bug, and going on
		// would lose the request.
		p.fail(err)
		return
	}
	if a.Dead != nil && !p.bury(it, p.deadLetter(it, a), p.formerLook(it)) || !p.publishOnce(it, rec) {
		return
	}
	p.metrics.published(r, time.Since(it.fetched))
	if a.Cost > 0 {
		p.metrics.spend.WithLabelValues(string(r.Vendor)).Add(a.Cost.Units())
	}
	p.disposeAndClose(it, a)
}

// publishOnce writes a result's record as writeFor does, but before it begins again
// it looks whether what it gave up with the lease has reached the topic after all.
func (p *Pipeline) publishOnce(it *item, rec event.Record) bool {
	return p.writeUnless(func(again bool) bool { return again && p.isPublished(it) }, it, rec)
}

// isPublished tells whether an answered request's result is in its topic. It asks
// again after an error, as long as the answer is ours to publish.
func (p *Pipeline) isPublished(it *item) bool {
	s, eventID := it.shard, event.ResultID(it.request.RequestID, it.revision())
	s.mu.Lock()
	since := it.entry.AnsweredAt().Add(-time.Second)
	s.mu.Unlock()
	for {
		out, err := p.published(p.work, s, eventID, since)
		if err == nil {
			return out
		}
		if !sleep(p.work, time.Second) || !p.mayRecord(it) {
			return false
		}
	}
}

// result makes the event that ends a request: the same, to the byte, whenever
// and by whomever it is made from the same request and answer.
func (p *Pipeline) result(it *item, a ledger.Answer) event.Result {
	r, cost := it.request, ""
	if a.Currency != "" {
		cost = a.Cost.String()
	}
	return event.Result{
		RequestID: r.RequestID, CampaignID: r.CampaignID, Vendor: r.Vendor,
		SubmissionID: r.SubmissionID, ApplicantID: r.ApplicantID, UserID: r.UserID,
		Outcome: a.Outcome, Reasons: a.Reasons, VendorCodes: a.Codes, Scores: a.Scores,
		VendorReference: a.Reference, Liveness: a.Liveness,
		Calls: a.Calls, Attempts: a.Attempts, Cost: cost, Currency: a.Currency,
		SelfieSHA256: a.SHA256, SelfieBytes: a.Bytes,
		TimingsMS: a.TimingsMS, CompletedAt: a.CompletedAt,
		Revision: it.revision(), Final: true,
		Source: event.Source{Topic: it.record.Topic, Partition: it.record.Partition, Offset: it.record.Offset},
	}
}

// deadLetter makes the dead letter of a request that failed.
func (p *Pipeline) deadLetter(it *item, a ledger.Answer) event.DeadLetter {
	r := it.request
	return event.DeadLetter{
		Class: a.Dead.Class, Stage: a.Dead.Stage, Reason: a.Dead.Reason, Message: a.Dead.Message,
		Group: p.cfg.Group, DeliveryCount: a.Attempts, FirstSeen: it.record.Time, FailedAt: a.CompletedAt,
		RequestID: r.RequestID, Vendor: r.Vendor, CampaignID: r.CampaignID,
	}
}

// formerLook says when the owner who answered a request before us may have
// written its dead letter, nil that there was none.
func (p *Pipeline) formerLook(it *item) *look {
	if !it.unsettled {
		return nil
	}
	s := it.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	return &look{since: it.entry.AnsweredAt().Add(-time.Second), by: p.settleAt(s, it.entry)}
}

// Why a request is parked, as it stands in the ledger.
const (
	whyRetry   = "retry"
	whyUnknown = "unknown_outcome"
	whyAwaits  = "awaits_vendor"
	whyPaused  = "paused"
	whySpend   = "spend"
)

// park writes that the request waits for another attempt.
func (p *Pipeline) park(it *item, d decision) {
	now := time.Now()
	due := now.Add(d.after)
	r := p.parkedRecord(it)
	if d.unknown || !it.unknownSince.IsZero() {
		// Until the call would have timed out the vendor may still be at it. A
		// call may have left up to half a margin after its claim's time.
		called := it.until.Add(-p.cfg.ClaimMargin - p.lines[it.request.Vendor].lane.Timeout())
		if !it.unknownSince.IsZero() {
			called = it.unknownSince
		}
		if ended := it.until.Add(-p.cfg.ClaimMargin / 2); due.Before(ended) {
			due = ended.Add(d.after)
		}
		r.Why = whyUnknown
		it.putInDoubt(&r, called)
	}
	r.Due = &due
	p.settleDown(it, r)
}

// await writes that the vendor needs more calls or more time for its verdict,
// after what the person is to know is published: whoever repeats the call after
// a crash in between publishes it again, as the same event.
func (p *Pipeline) await(it *item, d decision) {
	now := time.Now()
	if d.pending.Invite != nil && !p.invite(it, d.pending, now) {
		return
	}
	it.state, it.reference = d.pending.State, d.pending.Reference
	it.attempts = 0 // the next call is another one, with tries of its own
	r := p.parkedRecord(it)
	due := now.Add(d.pending.After)
	r.Why, r.Due = whyAwaits, &due
	p.settleDown(it, r)
}

// invite publishes what a person needs to do their part.
func (p *Pipeline) invite(it *item, pending vendors.Pending, now time.Time) bool {
	r, invite := it.request, pending.Invite
	rec, err := event.Pending{
		RequestID: r.RequestID, CampaignID: r.CampaignID, Vendor: r.Vendor, ApplicantID: r.ApplicantID, UserID: r.UserID,
		VendorReference: pending.Reference, VerificationURL: invite.URL, ExpiresAt: invite.ExpiresAt, Attempt: invite.Number,
		Source:      event.Source{Topic: it.record.Topic, Partition: it.record.Partition, Offset: it.record.Offset},
		AnnouncedAt: now,
	}.Record(p.cfg.Topics.Results, p.cfg.Source)
	if err != nil {
		p.fail(err) // made of checked parts: a bug, and going on would leave the person uninvited
		return false
	}
	if !p.writeFor(it, rec) {
		return false
	}
	p.metrics.invitations.WithLabelValues(string(r.Vendor)).Inc()
	return true
}

// parkedRecord returns the record of a parking, but for the due time.
func (p *Pipeline) parkedRecord(it *item) ledger.Record {
	return ledger.Record{
		Step: ledger.Parked, Claim: max(it.claim, it.claimNumber()), Source: it.source(), Why: whyRetry,
		Attempts: it.attempts, Calls: it.calls, State: it.state, Reference: it.reference, Spend: spendOf(it),
		Original: &ledger.Original{
			Key: it.record.Key, Value: string(it.record.Value), Headers: it.record.Headers, Time: it.record.Time,
		},
	}
}

// settleDown writes a parking and lets the request's record be done: from then on
// the request lives in the ledger.
func (p *Pipeline) settleDown(it *item, r ledger.Record) {
	if !p.record(it, r, stamp()) {
		return
	}
	s, e := it.shard, it.entry
	p.done(it)
	if !s.hasMoved() {
		p.lookAfter(s, e, it.called)
	}
}

// claimNumber returns the number of the last claim that the ledger knows.
func (it *item) claimNumber() int {
	it.shard.mu.Lock()
	defer it.shard.mu.Unlock()
	return it.entry.Claim
}

// abandon leaves a request to its shard's new owner.
func (p *Pipeline) abandon(it *item) {
	p.metrics.abandoned.Inc()
	p.log.Warn("request left to the shard's new owner", "request_id", it.request.RequestID, "partition", it.shard.id, "offset", it.record.Offset)
	p.forget(it)
}

// refuse publishes a record that is no request as a dead letter.
func (p *Pipeline) refuse(it *item, invalid *event.InvalidError) {
	before, ok := p.inherited(it.shard.ctx, it.shard, it.record)
	if !ok {
		p.forget(it)
		return
	}
	if !p.bury(it, event.DeadLetter{
		Class: "invalid", Stage: invalid.Stage, Reason: event.Reason(invalid.Faults[0].Code), Message: invalid.Error(),
		Group: p.cfg.Group, DeliveryCount: 1, FirstSeen: it.fetched, FailedAt: time.Now(),
		RequestID: invalid.RequestID, Vendor: invalid.Vendor, CampaignID: invalid.CampaignID,
	}, before) {
		return
	}
	p.log.Warn("record refused", "topic", it.record.Topic, "partition", it.record.Partition, "offset", it.record.Offset, "error", invalid)
	p.done(it)
}

// write writes records while may says so, asking before each try. Its error is
// may's if it says no, and errStopping if the process stops; then the records may
// or may not have been written.
func (p *Pipeline) write(may func() error, recs ...event.Record) error {
	for {
		err := p.parts.Writer.WriteWhile(p.work, may, recs...)
		switch {
		case err == nil, errors.Is(err, errLeaseEnded):
			return err
		case p.work.Err() != nil:
			return errStopping
		case !errors.Is(err, stream.ErrTooLarge):
			p.fail(fmt.Errorf("publishing: %w", err)) // the writer repeats by itself what may pass
			return errStopping
		}
		p.metrics.stuck.Inc()
		p.log.Error("a record is too large for its topic: raise the topic's max.message.bytes; trying again later",
			"topic", recs[0].Topic, "partition", recs[0].Partition, "error", err, "after_ms", p.cfg.StuckRetry.Milliseconds())
		if !sleep(p.work, p.cfg.StuckRetry) {
			return errStopping
		}
	}
}

// classUnknown is the class of what nobody knows the outcome of.
const classUnknown = "unknown_outcome"

// classOf names the class of a cause, for the dead letter's header.
func classOf(err error) string {
	var vendor *vendors.Error
	var selfie *storage.Error
	switch {
	case errors.As(err, &vendor):
		return vendor.Kind.String()
	case errors.As(err, &selfie):
		return selfie.Kind.String()
	case errors.Is(err, errUnknown), errors.Is(err, errNoAnswer):
		return classUnknown
	}
	return "internal"
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
	if it.tracked && !it.shard.finish(it.record, it.id) {
		p.metrics.afterMove.Inc()
		p.log.Info("request finished for a shard that has moved; its new owner finds it in the ledger",
			"request_id", it.request.RequestID, "partition", it.shard.id, "offset", it.record.Offset)
	}
	p.forget(it)
}

// forget gives an item's room back without counting its record as done.
func (p *Pipeline) forget(it *item) {
	if it.tracked {
		<-it.shard.room
		p.backlog.Release(min(it.weight(), p.cfg.MaxBacklog))
	}
}

// fail stops the process with an error: state is in doubt, and reading again
// from the last commit mends it.
func (p *Pipeline) fail(err error) {
	p.log.Error("stopping", "error", err)
	p.stop(err)
}
