package main

import (
	"context"
	"errors"
	"time"

	"reauth/internal/app"
	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

const (
	// eraseTries is how often a vendor is asked for one erasure, if errors pass.
	eraseTries = 3
	// eraseWait is the wait before the second try; it doubles.
	eraseWait = time.Second
	// longestEraseWait bounds what a vendor may ask for.
	longestEraseWait = time.Minute
)

// eraser erases what traces lead to, one thing after the other.
type eraser struct {
	adapters map[event.Vendor]vendors.Adapter
	timeouts map[event.Vendor]time.Duration
	store    *storage.Store // nil without selfies, and in a dry run
	archive  *app.Archived  // nil if there is none
	pace     pacer
	proofs   *proofWriter

	selfies, includeOpen, dryRun bool
	defaultBucket                string

	// broken are the vendors that refuse every call, and how.
	broken map[event.Vendor]error
}

// open makes adapters and store.
func (e *eraser) open(ctx context.Context, c config.Config) (err error) {
	e.broken, e.timeouts = make(map[event.Vendor]error), make(map[event.Vendor]time.Duration)
	if e.adapters, err = app.Adapters(ctx, c, nil, nil); err != nil {
		return err
	}
	for name := range e.adapters {
		e.timeouts[name] = c.Vendors.Of(name).Timeout
	}
	if e.archive, err = app.OpenArchived(ctx, c); err != nil {
		return err
	}
	if e.selfies && !e.dryRun {
		e.store, err = app.OpenStore(ctx, c, nil)
	}
	return err
}

func (e *eraser) close() {
	if e.archive != nil {
		e.archive.Close()
	}
	if e.store != nil {
		e.store.Close()
	}
}

// all erases what the traces lead to and proves it, and that there was nothing of
// missing. It ends early only with ctx, or if a proof cannot be written.
func (e *eraser) all(ctx context.Context, traces []*trace, missing []proof) error {
	for _, p := range missing {
		if err := e.proofs.write(p); err != nil {
			return err
		}
		// The archive may hold pictures for longer than the topics hold records.
		if p.RequestID != "" {
			if err := e.pictures(ctx, p); err != nil {
				return err
			}
		}
	}
	for _, t := range traces {
		about := proof{RequestID: t.requestID, Subject: t.subject, Vendor: t.vendor, What: whatRequest}
		before := e.proofs.written
		if err := e.one(ctx, t, about); err != nil {
			return err
		}
		if e.proofs.written == before { // there never was anything
			about.Outcome = outcomeGone
			if err := e.proofs.write(about); err != nil {
				return err
			}
		}
	}
	return nil
}

// one erases what a trace leads to.
func (e *eraser) one(ctx context.Context, t *trace, about proof) error {
	if t.isOpen() && !e.includeOpen {
		about.Outcome = outcomeOpen
		return e.proofs.write(about)
	}
	if t.isOrphaned() {
		orphan := about
		orphan.What, orphan.Outcome = whatAuthentication, outcomeUnknownCall
		if err := e.proofs.write(orphan); err != nil {
			return err
		}
	}
	if err := e.authentications(ctx, t, about); err != nil {
		return err
	}
	// After the vendor has erased, the consumer finds no more pictures to archive.
	if err := e.toArchive(t, about); err != nil {
		return err
	}
	if err := e.pictures(ctx, about); err != nil {
		return err
	}
	if !e.selfies {
		return nil
	}
	return e.objects(ctx, t, about)
}

// authentications erases what the vendor keeps.
func (e *eraser) authentications(ctx context.Context, t *trace, about proof) error {
	about.What = whatAuthentication
	adapter, enabled := e.adapters[t.vendor]
	offered, offers := adapter.(vendors.Eraser)
	references := t.references
	if len(references) == 0 && t.called && enabled && !offers {
		references = []string{""} // whatever it keeps, it keeps
	}
	for _, reference := range references {
		p := about
		p.Reference = reference
		switch {
		case !enabled:
			p.Outcome = outcomeNotEnabled
		case !offers:
			p.Outcome = outcomeNotOffered
		case e.dryRun:
			p.Outcome = outcomeWouldErase
		default:
			err := e.ask(ctx, t.vendor, offered, reference)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if p.Outcome = outcomeErased; err != nil {
				p.Outcome, p.Error = outcomeFailed, err.Error()
			}
		}
		if err := e.proofs.write(p); err != nil {
			return err
		}
	}
	return nil
}

// ask has a vendor erase, at the rate and again after errors that may pass. A
// vendor that would refuse every call is not asked again.
func (e *eraser) ask(ctx context.Context, name event.Vendor, vendor vendors.Eraser, reference string) error {
	if err := e.broken[name]; err != nil {
		return err
	}
	wait := eraseWait
	for try := 1; ; try++ {
		if err := e.pace.wait(ctx, 1); err != nil {
			return err
		}
		asking, cancel := context.WithTimeout(ctx, e.timeouts[name])
		err := vendor.Erase(asking, reference)
		cancel()
		var fault *vendors.Error
		switch {
		case err == nil || !errors.As(err, &fault):
			return err
		case fault.Kind == vendors.LaneFault:
			e.broken[name] = err
			return err
		case fault.Kind == vendors.Refused || try == eraseTries:
			return err
		}
		if err := pause(ctx, min(longestEraseWait, max(wait, fault.RetryAfter))); err != nil {
			return err
		}
		wait *= 2
	}
}

// pause waits, or returns the cause of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// objects erases the selfies.
func (e *eraser) objects(ctx context.Context, t *trace, about proof) error {
	about.What = whatSelfie
	if len(t.selfies) == 0 && t.read {
		about.Outcome = outcomeUnknownKey
		return e.proofs.write(about)
	}
	for _, ref := range t.selfies {
		if ref.Bucket == "" {
			ref.Bucket = e.defaultBucket
		}
		if err := e.object(ctx, e.store, ref, about); err != nil {
			return err
		}
	}
	return nil
}

// object erases one object.
func (e *eraser) object(ctx context.Context, store *storage.Store, ref storage.Ref, about proof) error {
	about.Bucket, about.ObjectSHA256, about.Outcome = ref.Bucket, objectSHA256(ref.Bucket, ref.Key), outcomeWouldErase
	if !e.dryRun {
		erased, err := store.Erase(ctx, ref)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		about.Versions, about.Outcome = erased.Deleted, outcomeOf(erased)
		if err != nil {
			about.Outcome, about.Error = outcomeFailed, err.Error()
		}
	}
	return e.proofs.write(about)
}

func outcomeOf(e storage.Erasure) outcome {
	switch {
	case e.Held > 0:
		return outcomeHeld
	case e.Deleted > 0:
		return outcomeErased
	}
	return outcomeGone
}
