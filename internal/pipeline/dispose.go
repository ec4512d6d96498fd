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

// disposalsKept bounds the requests whose selfies wait for another try without a place
// in their line: some ten seconds' worth at the highest rates in use.
const disposalsKept = 1 << 12

// disposeAndClose does what is set to be done about an answered request's selfie, at
// least once, since it comes after the result and before the record is done, and then
// closes the request. That it fails is counted and reported and holds up nobody: the
// result is out, so what has to be tried again needs no place in the line.
func (p *Pipeline) disposeAndClose(it *item, a ledger.Answer) {
	if p.tryDispose(it, a, 1) {
		p.close(it)
		return
	}
	select {
	case p.disposals <- struct{}{}:
		p.wg.Go(func() {
			defer func() { <-p.disposals }()
			p.disposeAgain(it, a)
			p.close(it)
		})
	default: // so many that they are to hold up the line
		p.disposeAgain(it, a)
		p.close(it)
	}
}

// close ends an answered request whose result is out.
func (p *Pipeline) close(it *item) {
	s := it.shard
	s.mu.Lock()
	s.ledger.Published(it.entry)
	s.answered = it.entry.AnsweredAt()
	s.mu.Unlock()
	p.done(it)
}

// dispose is disposeAndClose without the closing.
func (p *Pipeline) dispose(it *item, a ledger.Answer) {
	if !p.tryDispose(it, a, 1) {
		p.disposeAgain(it, a)
	}
}

// disposeAgain tries what was tried in vain once.
func (p *Pipeline) disposeAgain(it *item, a ledger.Answer) {
	wait := disposeWait
	for try := 2; sleep(p.work, wait) && !p.tryDispose(it, a, try); try++ {
		wait *= 4
	}
}

// tryDispose makes the nth try; false says that another is to follow.
func (p *Pipeline) tryDispose(it *item, a ledger.Answer, nth int) (ended bool) {
	if p.parts.Dispose == nil || it.request.SelfieKey == "" {
		return true
	}
	ref := storage.Ref{Bucket: it.request.SelfieBucket, Key: it.request.SelfieKey, Version: it.request.SelfieVersion}
	if a.SelfieVersion != "" {
		ref.Version = a.SelfieVersion
	}
	dispose := p.parts.Dispose
	if ref.Version == "" && p.isUnsure(it, a) {
		dispose = p.parts.DisposeUnsure
	}
	did, err := dispose(p.work, ref, a.Outcome)
	if did.Result == storage.Left {
		err = errUnsure
	}
	switch {
	case err == nil, p.work.Err() != nil: // cut off: it is the new owner's to settle
		return true
	case nth < disposeTries && passes(err):
		return false
	}
	p.metrics.undisposed.Inc()
	p.log.Error("selfie left as it was", "request_id", it.request.RequestID, "outcome", a.Outcome, "error", err)
	return true
}

var errUnsure = errors.New("nobody knows which version the vendor was sent: no claim says, or claims say different ones")

// isUnsure tells whether the vendor judged a selfie, or may have, of which nobody knows
// what it was: the verdict of a call of unknown outcome that was found, or was not, and
// whose claim does not say.
func (p *Pipeline) isUnsure(it *item, a ledger.Answer) bool {
	judged := a.Reference != "" || a.Dead != nil && a.Dead.Class == classUnknown
	return judged && a.SHA256 == "" && p.lines[it.request.Vendor].lane.Adapter().Capabilities().NeedsSelfie
}

// passes tells whether a fault of the store may pass by itself.
func passes(err error) bool {
	var fault *storage.Error
	if errors.As(err, &fault) {
		return fault.Kind == storage.Transient || fault.Kind == storage.Throttled || fault.Kind == storage.Interrupted
	}
	return errors.Is(err, context.DeadlineExceeded)
}
