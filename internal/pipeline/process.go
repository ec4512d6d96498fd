package pipeline

import (
	"context"
	"errors"
	"time"

	"reauth/internal/event"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

var (
	errExpired    = errors.New("not_after has passed")
	errLeaseEnded = errors.New("the shard may have a new owner")
)

// process makes one attempt at a request and does what follows from it. ready
// is called when the request no longer needs a place among those that are
// being prepared for a call.
func (p *Pipeline) process(it *item, line *line, ready func()) {
	d := p.attempt(it, line, ready)
	line.queue.release(it)
	p.note(it, d)
	switch d.action {
	case publish:
		p.finish(it, p.result(it, d.verdict))
	case giveUp:
		p.bury(it, d)
	case retry:
		p.parking.park(it, time.Now().Add(d.after))
	case keep:
		line.queue.push(it)
	case drop:
		p.forget(it)
	}
	if d.action == retry || d.action == keep {
		p.sweepIfMoved(it.shard)
	}
}

// attempt takes a request from its selfie to its verdict.
func (p *Pipeline) attempt(it *item, line *line, ready func()) decision {
	defer ready()
	it.attempts++
	now := time.Now()
	if !it.spent.started {
		it.spent.started = true
		it.spent.queued = max(0, now.Sub(it.record.Time))
	}
	if it.expired(now) {
		return p.decide(it, event.StageValidate, errExpired)
	}
	call := callOf(it)
	if line.lane.Adapter().Capabilities().NeedsSelfie {
		selfie, err := p.fetchSelfie(it)
		it.spent.selfie += time.Since(now)
		if err != nil {
			return p.decide(it, event.StageSelfie, err)
		}
		defer selfie.Release()
		it.sha256, it.bytes = selfie.SHA256(), selfie.Size()
		call.Selfie = selfie
	}
	verdict, err := p.call(it, line.lane, call, ready)
	if err != nil {
		return p.decide(it, event.StageVendor, err)
	}
	return decision{action: publish, verdict: verdict}
}

// call gets a permit and makes the call with it. A permit whose slot is missed
// is no attempt: the next one is reserved at once.
func (p *Pipeline) call(it *item, lane *vendors.Lane, call vendors.Call, ready func()) (vendors.Verdict, error) {
	for {
		start := time.Now()
		if err := p.lease.wait(it.shard.ctx); err != nil {
			return vendors.Verdict{}, err
		}
		permit, err := lane.Reserve(it.shard.ctx, 0)
		it.spent.permit += time.Since(start)
		if err != nil {
			return vendors.Verdict{}, err
		}
		ready()
		start = time.Now()
		// The call goes on when the shard moves or the process stops: it is
		// paid for. Only the grace time's end cuts it off.
		verdict, err := lane.Call(p.work, permit, call, func() error { return p.mayCall(it) })
		if errors.Is(err, vendors.ErrMissed) {
			continue
		}
		it.spent.vendor += time.Since(start)
		return verdict, err
	}
}

// mayCall is asked right before the request leaves for the vendor.
func (p *Pipeline) mayCall(it *item) error {
	switch {
	case it.shard.ctx.Err() != nil:
		return context.Cause(it.shard.ctx)
	case !p.lease.held():
		return errLeaseEnded
	case it.expired(time.Now()):
		return errExpired
	}
	it.calls++
	return nil
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
	}
}

// fetchSelfie gets the selfie through the store's valve, so that a fault of the
// store keeps requests instead of failing them.
func (p *Pipeline) fetchSelfie(it *item) (Selfie, error) {
	pass, err := p.store.enter(it.shard.ctx)
	if err != nil {
		return nil, err
	}
	selfie, err := p.parts.FetchSelfie(it.shard.ctx, storage.Ref{
		Bucket: it.request.SelfieBucket, Key: it.request.SelfieKey, Version: it.request.SelfieVersion,
	})
	p.store.ended(pass, err)
	return selfie, err
}
