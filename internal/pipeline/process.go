package pipeline

import (
	"context"
	"errors"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

var (
	errExpired    = errors.New("not_after has passed")
	errLeaseEnded = errors.New("the shard may have a new owner")
	errAnswered   = errors.New("the owner before us has answered the request")
	errLateClaim  = errors.New("the claim does not cover the call any more")
)

// process makes one attempt at a request and does what follows from it. ready
// is called when the request no longer needs a place among those that are being
// prepared for a call.
func (p *Pipeline) process(it *item, line *line, ready func()) {
	d := p.attempt(it, line, ready)
	// Before another request of the subject may ask the vendor for its own.
	p.references.add(d.verdict.Reference, ledger.IDOf(it.request.RequestID))
	line.queue.release(it)
	p.unreserve(it, d)
	p.note(it, d)
	switch d.action {
	case publish:
		p.answer(it, p.answerOf(it, d))
	case giveUp:
		p.answer(it, p.failureOf(it, d))
	case republish:
		p.finish(it, d.answer)
	case retry:
		p.park(it, d)
	case await:
		p.await(it, d)
	case later:
		p.parking.park(waiter{due: time.Now().Add(d.after), shard: it.shard, it: it})
	case keep:
		p.enqueue(it)
	case hold:
		p.hold(it)
	case capped:
		p.putOff(it, d)
	case closed:
		p.done(it)
	case drop:
		p.forget(it)
	}
	if d.action == later || d.action == keep || d.action == hold || d.action == capped {
		p.sweepIfMoved(it.shard)
	}
}

// attempt takes a request from its selfie to its verdict.
func (p *Pipeline) attempt(it *item, line *line, ready func()) decision {
	defer ready()
	it.tried = false
	now := time.Now()
	it.start(now)
	if it.unsettled {
		if d, settled := p.settle(it); settled {
			return d
		}
	}
	if err := p.held(it); err != nil && !p.mayExpire(it, now) {
		return p.decide(it, event.StageVendor, err)
	}
	if p.followUpsFull(it) && !p.mayExpire(it, now) {
		return decision{action: later, after: fullWait, cause: errFull}
	}
	it.attempts, it.tried = it.attempts+1, true
	if it.attempts == 1 {
		line.budget.earn()
	}
	if !it.unknownSince.IsZero() && !p.resumable(it) {
		if d, known := p.inquire(it, line, ready); known {
			return d
		}
	}
	if it.expired(now) {
		return p.decide(it, event.StageValidate, errExpired)
	}
	if over := p.affords(it, now); over != nil {
		return p.decide(it, event.StageVendor, over)
	}
	ctx, unwatch := p.watch(it)
	defer unwatch()
	if p.takenBack(it) { // by an order that came before the watch
		return p.decide(it, event.StageVendor, errWithdrawn)
	}
	call := callOf(it)
	call.Unsure = !it.unknownSince.IsZero()
	if line.lane.Adapter().Capabilities().NeedsSelfie {
		start := time.Now()
		selfie, err := p.fetchSelfie(ctx, it)
		it.spent.selfie += time.Since(start)
		if err != nil {
			return p.decide(it, event.StageSelfie, err)
		}
		defer selfie.Release()
		it.selfie = ledger.Selfie{SHA256: selfie.SHA256(), Bytes: selfie.Size(), Version: selfie.Version()}
		call.Selfie = selfie
	}
	verdict, err := p.call(ctx, it, line, call, ready)
	if err != nil {
		return p.decide(it, event.StageVendor, err)
	}
	if verdict.Pending != nil {
		return decision{action: await, pending: *verdict.Pending}
	}
	return decision{action: publish, verdict: verdict}
}

// call gets a permit, claims the call while the permit's slot approaches, and
// makes it. A permit whose slot is missed is no attempt: the next one is
// reserved at once. ctx is for what comes before the call.
func (p *Pipeline) call(ctx context.Context, it *item, line *line, call vendors.Call, ready func()) (vendors.Verdict, error) {
	for {
		permit, err := p.permit(ctx, it, line, ready)
		if err != nil {
			return vendors.Verdict{}, err
		}
		if err := p.held(it); err != nil {
			permit.Release()
			return vendors.Verdict{}, err
		}
		if over := p.reserve(it, permit.At); over != nil {
			permit.Release()
			return vendors.Verdict{}, over
		}
		timeout := line.lane.Timeout()
		if !p.claimed(it, permit.At, timeout) || it.claimedFor != it.reserved || it.claimedWith != it.selfie {
			start := time.Now()
			err := p.claim(it, permit.At, timeout)
			if err != nil {
				permit.Release()
			}
			if errors.Is(err, errLeaseEnded) {
				continue // and wait for the lease
			}
			if err != nil {
				return vendors.Verdict{}, err
			}
			line.lead.observe(time.Since(start))
		}
		// The call goes on when the shard moves or the process stops: it is
		// paid for. Only the grace time's end cuts it off.
		verdict, err := line.lane.Call(p.work, permit, call, func() error {
			it.called = time.Now()
			if err := p.held(it); err != nil {
				return err
			}
			return p.mayCall(it, timeout)
		})
		if errors.Is(err, vendors.ErrMissed) || errors.Is(err, errLateClaim) {
			continue
		}
		if it.calls == it.claimedCalls { // it was not made
			return vendors.Verdict{}, err
		}
		took := time.Since(it.called)
		it.spent.vendor += took
		if err == nil {
			line.calling.observe(took)
		}
		return verdict, err
	}
}

// permit reserves a permit for as soon as a claim can be written.
func (p *Pipeline) permit(ctx context.Context, it *item, line *line, ready func()) (*vendors.Permit, error) {
	start := time.Now()
	defer func() { it.spent.permit += time.Since(start) }()
	ctx, cancel := line.brake.during(ctx)
	defer cancel()
	if err := p.lease.wait(ctx); err != nil {
		return nil, err
	}
	permit, err := line.lane.ReserveFor(ctx, it.shard.id, line.lead.get())
	if err == nil {
		ready()
	}
	return permit, err
}

// mayCall is asked right before the request leaves for the vendor.
func (p *Pipeline) mayCall(it *item, timeout time.Duration) error {
	now := time.Now()
	switch {
	case it.shard.ctx.Err() != nil:
		return context.Cause(it.shard.ctx)
	case !p.lease.held():
		return errLeaseEnded
	case it.expired(now):
		return errExpired
	case !p.claimed(it, now, timeout), it.overtaken(now):
		return errLateClaim
	case it.step() == ledger.Answered:
		return errAnswered
	}
	it.calls++
	p.countRepeat(it)
	return nil
}

// mayLeaveLate is asked before a request that had to connect leaves later than in the
// slot at a time, for which it was claimed: another slot must be ours as well, and a
// claim tells of calls up to half a margin after its time.
func (p *Pipeline) mayLeaveLate(at, leaves time.Time) bool {
	return p.lease.held() && leaves.Sub(at) <= p.cfg.ClaimMargin/2
}

// resumable tells whether the request's adapter finds out by itself what became of
// a call.
func (p *Pipeline) resumable(it *item) bool {
	return p.lines[it.request.Vendor].lane.Adapter().Capabilities().Resumable
}

// step returns how far the ledger says that the request got.
func (it *item) step() ledger.Step {
	it.shard.mu.Lock()
	defer it.shard.mu.Unlock()
	return it.entry.Step
}

func callOf(it *item) vendors.Call {
	r := it.request
	return vendors.Call{
		RequestID:    r.RequestID,
		SubmissionID: r.SubmissionID,
		ApplicantID:  r.ApplicantID,
		UserID:       r.UserID,
		CF1:          r.CF1,
		CF2:          r.CF2,
		CF3:          r.CF3,
		RedirectURL:  r.RedirectURL,
		Reference:    referenceOf(r),
		NotAfter:     r.NotAfter,
		State:        it.state,
	}
}

// referenceOf returns the picture that a request brings to compare with, nil if
// it brings none.
func referenceOf(r event.Request) *vendors.ObjectRef {
	if r.ReferenceKey == "" {
		return nil
	}
	return &vendors.ObjectRef{Bucket: r.ReferenceBucket, Key: r.ReferenceKey, Version: r.ReferenceVersion}
}

// fetchSelfie gets the selfie through its bucket's valve, so that a fault of the
// store keeps requests instead of failing them.
func (p *Pipeline) fetchSelfie(ctx context.Context, it *item) (Selfie, error) {
	bucket := p.store.of(it.request.SelfieBucket)
	pass, err := bucket.enter(ctx)
	if err != nil {
		return nil, err
	}
	selfie, err := p.parts.FetchSelfie(ctx, storage.Ref{
		Bucket: it.request.SelfieBucket, Key: it.request.SelfieKey, Version: it.request.SelfieVersion,
	})
	bucket.ended(pass, err)
	return selfie, err
}
