package pipeline

import (
	"context"
	"errors"
	"time"

	"reauth/internal/ledger"
	"reauth/internal/storage"
)

// disposeTries is how often it is tried to do what is set to be done about a
// selfie, with disposeWait in between, which grows.
const (
	disposeTries = 4
	disposeWait  = 500 * time.Millisecond
)

// dispose does what is set to be done about an answered request's selfie: at least
// once, since it comes after the result and before the record is done. That it
// fails is counted and reported and holds up nobody: the result is out.
func (p *Pipeline) dispose(it *item, a ledger.Answer) {
	if p.parts.Dispose == nil || it.request.SelfieKey == "" {
		return
	}
	ref := storage.Ref{Bucket: it.request.SelfieBucket, Key: it.request.SelfieKey, Version: it.request.SelfieVersion}
	if a.SelfieVersion != "" {
		ref.Version = a.SelfieVersion
	}
	wait := disposeWait
	for try := 1; ; try++ {
		_, err := p.parts.Dispose(p.work, ref, a.Outcome)
		switch {
		case err == nil:
			return
		case p.work.Err() != nil:
			return // cut off: it is the new owner's to settle
		case try == disposeTries || !passes(err):
			p.metrics.undisposed.Inc()
			p.log.Error("selfie left as it was", "request_id", it.request.RequestID, "outcome", a.Outcome, "error", err)
			return
		}
		if !sleep(p.work, wait) {
			return
		}
		wait *= 4
	}
}

// passes tells whether a fault of the store may pass by itself.
func passes(err error) bool {
	var fault *storage.Error
	if errors.As(err, &fault) {
		return fault.Kind == storage.Transient || fault.Kind == storage.Throttled || fault.Kind == storage.Interrupted
	}
	return errors.Is(err, context.DeadlineExceeded)
}
