package pipeline

import (
	"errors"
	"slices"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

// findSkew is how far the vendor's clock may be from ours when an
// authentication is looked for by time.
const findSkew = 10 * time.Second

// findLate is how long after a call what the vendor made of it may bear a time of: one
// that is overloaded works off what it has taken in long after we have given it up.
const findLate = 10 * time.Minute

// findSlack is how much earlier than its time in the ledger a call may leave, and what
// the vendor makes of it bear a time of, if the clocks agree.
const findSlack = 100 * time.Millisecond

// Resolutions of an unknown outcome, as metric labels.
const (
	resolvedFound    = "found"
	resolvedNotFound = "not_found"
	resolvedRepeat   = "repeated"
	resolvedHold     = "held"
	resolvedWithdraw = "withdrawn"
)

// settle deals with a request that an owner before us had begun, now that its
// claim has ended. settled is false if the request is to be attempted.
func (p *Pipeline) settle(it *item) (d decision, settled bool) {
	s := it.shard
	s.mu.Lock()
	at := p.settleAt(s, it.entry)
	s.mu.Unlock()
	if wait := time.Until(at); wait > 0 {
		it.barrier = 0 // until then more may be written
		return decision{action: later, after: wait}, true
	}
	if !p.upToDate(it) {
		return decision{action: later, after: 100 * time.Millisecond}, true
	}
	s.mu.Lock()
	step, called, due := it.entry.Step, it.entry.Called, it.entry.Due
	it.attempts, it.calls = max(it.attempts, it.entry.Attempts), max(it.calls, it.entry.Calls)
	it.state, it.reference = it.entry.Pending()
	it.reserved, it.selfie = it.entry.Spend(), it.entry.Selfie()
	s.mu.Unlock()
	switch step {
	case ledger.Answered:
		return p.settleAnswered(it), true
	case ledger.Parked:
		// The owner before us parked it after all. From now on it lives in
		// the ledger, and is ours to look after.
		if it.tracked {
			p.lookAfter(s, it.entry, time.Time{})
			return decision{action: closed}, true
		}
		if wait := time.Until(due); wait > 0 {
			it.unsettled, it.unknownSince = false, called
			return decision{action: later, after: wait}, true
		}
	}
	it.unsettled, it.unknownSince, it.uncounted = false, called, step == ledger.Claimed
	if step == ledger.Claimed && !p.parkInDoubt(it) {
		return decision{}, true
	}
	return decision{}, false
}

// parkInDoubt writes that nobody knows what became of the claim of an owner before us.
// It may take longer than the window until that is found out, while the vendor is out,
// say, and a claim would be forgotten by then: a parked request is written again, and
// its record is done. The work on it goes on. False says that the request was left to
// the shard's new owner, or that the process stops.
func (p *Pipeline) parkInDoubt(it *item) bool {
	r, due := p.parkedRecord(it), time.Now()
	r.Why, r.Due = whyUnknown, &due
	it.putInDoubt(&r, it.unknownSince)
	r.Calls++ // the one in doubt
	if !p.record(it, r, stamp()) {
		return false
	}
	p.done(it)
	it.tracked = false
	return true
}

// upToDate tells whether the ledger has been read up to a barrier that was begun when it
// was first asked about the request: an answer may have come in right before the claim
// ended. Until then the entry may not be looked at.
func (p *Pipeline) upToDate(it *item) bool {
	s := it.shard
	if s.hasRead() == readAll {
		return true
	}
	if it.barrier == 0 {
		barrier, err := p.writeBarrier(s)
		if err != nil {
			p.log.Warn("writing a barrier to the ledger", "partition", s.id, "error", err)
			return false
		}
		it.barrier = barrier
	}
	return s.hasPassed() >= it.barrier
}

// settleAnswered publishes the result of an answered request unless it is out.
func (p *Pipeline) settleAnswered(it *item) decision {
	s := it.shard
	s.mu.Lock()
	answer, err := it.entry.Answer()
	at := it.entry.AnsweredAt()
	s.mu.Unlock()
	if err != nil {
		return p.retryOrGiveUp(it, event.StagePublish, err)
	}
	if err := p.lease.wait(s.ctx); err != nil {
		return p.decide(it, event.StagePublish, err)
	}
	out, err := p.published(s.ctx, s, event.ResultID(it.request.RequestID, it.revision()), at.Add(-time.Second))
	if err != nil {
		if s.ctx.Err() != nil {
			return p.decide(it, event.StagePublish, err)
		}
		return decision{action: later, after: time.Second, cause: err}
	}
	if !out {
		p.metrics.republished.Inc()
		return decision{action: republish, answer: answer}
	}
	p.dispose(it, answer) // whoever published may not have come to that
	s.mu.Lock()
	s.ledger.Published(it.entry)
	s.mu.Unlock()
	return decision{action: closed}
}

// inquire finds out what became of a call of unknown outcome. known is false if
// the call is to be repeated.
func (p *Pipeline) inquire(it *item, line *line, ready func()) (d decision, known bool) {
	if line.inquiry.finder == nil {
		return p.repeatOrHold(it)
	}
	// What waits here needs no selfie yet, nor a place among the attempts: after an
	// outage there are many, and the vendor may take long to list its calls.
	ready()
	<-line.begun
	asked := time.Now()
	verdict, err := p.find(it, line.inquiry)
	line.begun <- struct{}{}
	switch {
	case errors.Is(err, errNotAsked):
		return decision{action: keep, cause: err}, true
	case errors.Is(err, errManyAsk):
		return decision{action: later, after: p.cfg.Retry.backoff(1), cause: err}, true
	case out(err):
		// No attempt: whoever is in doubt when an outage begins would have used all
		// of them up before it ends.
		it.unheard++
		return decision{action: later, after: p.cfg.Retry.backoff(it.unheard), cause: err}, true
	}
	it.unheard = 0
	switch {
	case err != nil:
		return p.decide(it, event.StageVendor, err), true
	case verdict == nil && asked.Before(p.listed(it)):
		return decision{action: later, after: time.Until(p.listed(it)), cause: errNotListed}, true
	case verdict == nil:
		p.metrics.unknown.WithLabelValues(resolvedNotFound).Inc()
		it.unknownSince = time.Time{}
		if p.takenBack(it) {
			return p.decide(it, event.StageVendor, errWithdrawn), true
		}
		return p.unlessExhausted(it)
	}
	if it.uncounted {
		it.calls++
	}
	p.metrics.unknown.WithLabelValues(resolvedFound).Inc()
	p.log.Info("verdict of a call of unknown outcome found", "request_id", it.request.RequestID, "vendor", it.request.Vendor)
	return decision{action: publish, verdict: *verdict}, true
}

// listed is from when on the vendor's list can be believed to lack a call of unknown
// outcome: what took too long for us gets as long again to be made and to be listed.
func (p *Pipeline) listed(it *item) time.Time {
	return it.unknownSince.Add(2 * p.lines[it.request.Vendor].lane.Timeout())
}

// out says whether the vendor could not be asked, or had no answer at all, or none
// that says anything.
func out(err error) bool {
	var fault *vendors.Error
	if !errors.As(err, &fault) {
		return false
	}
	return fault.Kind == vendors.Unexplained || fault.Kind == vendors.Transient && (fault.Err != nil || fault.Status >= 500)
}

// find asks the vendor for the authentication that a lost call may have made;
// nil means that there is none.
func (p *Pipeline) find(it *item, inquiry *inquiry) (*vendors.Verdict, error) {
	if err := p.lease.wait(it.shard.ctx); err != nil {
		return nil, err
	}
	found, err := inquiry.ask(it.shard.ctx, callOf(it), it.unknownSince.Add(-findSkew))
	if err != nil {
		return nil, err
	}
	us := ledger.IDOf(it.request.RequestID)
	for _, v := range likeliest(found, it.unknownSince) {
		if p.references.first(v.Reference, us) == us {
			return &v, nil
		}
	}
	return nil, nil
}

// likeliest returns those of a subject's verdicts, oldest first, that may have come of
// a call that was made at a time, the likeliest first. Other requests of the subject
// have left theirs before and after: first come those since the call, oldest first,
// then those that the clocks may have put before it, latest first.
func likeliest(found []vendors.Verdict, called time.Time) []vendors.Verdict {
	before, _ := slices.BinarySearchFunc(found, called.Add(-findSlack), byTime)
	after, _ := slices.BinarySearchFunc(found, called.Add(findLate), byTime)
	all := slices.Clone(found[before:after])
	for _, v := range slices.Backward(found[:before]) {
		all = append(all, v)
	}
	return all
}

func byTime(v vendors.Verdict, t time.Time) int { return v.At.Compare(t) }

// repeatOrHold follows the setting for vendors that cannot be asked.
func (p *Pipeline) repeatOrHold(it *item) (d decision, known bool) {
	if p.cfg.HoldUnknown {
		p.metrics.unknown.WithLabelValues(resolvedHold).Inc()
		return decision{action: giveUp, stage: event.StageVendor, reason: event.UnknownOutcome, cause: errUnknown}, true
	}
	if p.isTakenBack(it) {
		// Nobody wants what a repeat would be paid for. What the call may have cost
		// counts as lost.
		p.metrics.unknown.WithLabelValues(resolvedWithdraw).Inc()
		return p.decide(it, event.StageVendor, errWithdrawn), true
	}
	if d, exhausted := p.unlessExhausted(it); exhausted {
		return d, true
	}
	p.metrics.unknown.WithLabelValues(resolvedRepeat).Inc()
	p.metrics.possibleDouble.Inc()
	p.lose(it)
	p.log.Warn("call of unknown outcome repeated: it may be charged twice", "request_id", it.request.RequestID, "vendor", it.request.Vendor)
	it.unknownSince = time.Time{}
	return decision{}, false
}

// unlessExhausted lets the attempt go on with a call, unless the one of unknown
// outcome was the last.
func (p *Pipeline) unlessExhausted(it *item) (d decision, known bool) {
	if it.attempts <= p.cfg.Retry.MaxAttempts {
		return decision{}, false
	}
	return decision{action: giveUp, stage: event.StageVendor, reason: event.AttemptsExhausted, cause: errNoAnswer}, true
}

var errNotListed = errors.New("the vendor does not list the call yet")

var errNoAnswer = errors.New("the vendor did not answer, and has no record of the calls")

var errUnknown = errors.New("nobody knows what became of the call, and it is set to be held")
