package pipeline

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// action is what happens to a request after an attempt.
type action uint8

const (
	// publish: the request has its verdict; answer it and publish the result.
	publish action = iota + 1
	// republish: an owner before us answered; publish the result.
	republish
	// retry: once more, after a back-off; parked in the ledger meanwhile.
	retry
	// await: the vendor needs more calls or more time for its verdict; parked
	// in the ledger until then, or until there is news.
	await
	// later: look again, after a while; nothing was learnt about it.
	later
	// keep: once more, when it is its turn; nothing was learnt about it.
	keep
	// hold: once more, when an order is taken back; nothing was learnt about it.
	hold
	// capped: once more, when it fits under the cap on what is spent; nothing
	// was learnt about it.
	capped
	// giveUp: publish failed, and the original as a dead letter.
	giveUp
	// closed: its record is done, whoever looks after the request.
	closed
	// drop: somebody else has it, or will have.
	drop
)

// decision says how an attempt ended.
type decision struct {
	action  action
	verdict vendors.Verdict // for publish
	answer  ledger.Answer   // for republish
	pending vendors.Pending // for await
	free    bool            // for publish: the vendor has no part in it
	after   time.Duration   // for retry, later and capped
	by      spendCap        // for capped
	unknown bool            // for retry and giveUp: nobody knows what became of the call
	reason  event.Reason    // for giveUp
	stage   event.Stage     // for giveUp
	cause   error
}

// conclude is a decision for a result.
func conclude(outcome event.Outcome, reasons ...event.Reason) decision {
	return decision{action: publish, free: true, verdict: vendors.Verdict{Outcome: outcome, Reasons: reasons, Liveness: event.LivenessNone}}
}

// decide turns the error of an attempt into what follows from it: the only
// place that does.
func (p *Pipeline) decide(it *item, stage event.Stage, err error) decision {
	var selfie *storage.Error
	var vendor *vendors.Error
	var over *capError
	var full *vendors.NoRoomError
	switch {
	case it.shard.ctx.Err() != nil && !unknownOutcome(err):
		return decision{action: drop, cause: context.Cause(it.shard.ctx)}
	case errors.Is(err, errAnswered):
		it.unsettled = true
		return decision{action: later, after: p.cfg.ClaimMargin / 4, cause: err}
	case errors.Is(err, errExpired):
		return conclude(event.Expired, event.NotAfterPassed)
	case errors.Is(err, errWithdrawn):
		return conclude(event.Withdrawn, event.WithdrawnBy)
	case errors.Is(err, errHeld):
		return decision{action: hold, cause: err}
	case errors.Is(err, errLeaseEnded), errors.Is(err, vendors.ErrMissed), errors.As(err, &full):
		return decision{action: keep, cause: err}
	case errors.Is(err, errBucketPaused):
		return decision{action: later, after: p.store.of(it.request.SelfieBucket).wait(), cause: err}
	case errors.As(err, &over):
		return decision{action: capped, by: over.by, after: over.wait, cause: err}
	case errors.As(err, &selfie):
		return p.decideSelfie(it, selfie)
	case errors.As(err, &vendor):
		return p.decideVendor(it, vendor)
	}
	return p.retryOrGiveUp(it, stage, err)
}

func (p *Pipeline) decideSelfie(it *item, err *storage.Error) decision {
	switch err.Kind {
	case storage.Unusable:
		it.selfie = ledger.Selfie{Version: err.Version}
		return conclude(event.Unusable, err.Reason)
	case storage.Refused:
		return decision{action: giveUp, stage: event.StageSelfie, reason: event.SelfieForbidden, cause: err}
	case storage.Interrupted:
		return decision{action: keep, cause: err}
	}
	if err.Kind == storage.Fault && err.Code != accessDenied || p.store.of(it.request.SelfieBucket).fault() != nil {
		return decision{action: keep, cause: err}
	}
	return p.retryOrGiveUp(it, event.StageSelfie, err)
}

func (p *Pipeline) decideVendor(it *item, err *vendors.Error) decision {
	switch err.Kind {
	case vendors.Refused:
		return decision{action: giveUp, stage: event.StageVendor, reason: event.RequestRefused, cause: err}
	case vendors.Throttled, vendors.LaneFault:
		// The lane waits for both; the request is not to blame.
		return decision{action: keep, cause: err}
	}
	if err.Unknown {
		// Another attempt begins with finding out, so this is not the last:
		// inquire counts. A resumable adapter finds out in an attempt.
		d := decision{action: retry, unknown: true, after: p.cfg.Retry.backoff(it.attempts), cause: err}
		if it.attempts >= p.cfg.Retry.MaxAttempts && p.resumable(it) {
			d = p.retryOrGiveUp(it, event.StageVendor, err)
			d.unknown = true
		}
		return d
	}
	return p.retryOrGiveUp(it, event.StageVendor, err)
}

// retryOrGiveUp counts the attempt and gives up on the last.
func (p *Pipeline) retryOrGiveUp(it *item, stage event.Stage, err error) decision {
	if it.attempts < p.cfg.Retry.MaxAttempts {
		return decision{action: retry, after: p.cfg.Retry.backoff(it.attempts), cause: err}
	}
	reason := event.AttemptsExhausted
	var selfie *storage.Error
	if errors.As(err, &selfie) && selfie.Code == accessDenied {
		reason = event.SelfieForbidden
	}
	return decision{action: giveUp, stage: stage, reason: reason, cause: err}
}

// unknownOutcome says whether the vendor may have acted on a call that failed.
func unknownOutcome(err error) bool {
	var vendor *vendors.Error
	return errors.As(err, &vendor) && vendor.Unknown
}

// RetryConfig says how often and when a request is tried again.
type RetryConfig struct {
	// MaxAttempts counts the first; at least 1.
	MaxAttempts int
	// Initial and Max bound the back-off, which doubles in between.
	Initial, Max time.Duration
	// Budget is the share of calls that may be second and later attempts.
	Budget float64
}

// backoff returns the wait after the nth attempt: exponential with full
// jitter, which spreads the load of many that failed together best.
func (c RetryConfig) backoff(n int) time.Duration {
	most := min(c.Max, c.Initial<<min(max(n-1, 0), 32))
	if most <= 0 { // overflow
		most = c.Max
	}
	return rand.N(most) + 1
}
