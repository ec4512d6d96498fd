package main

import (
	"context"

	"reauth/internal/storage"
)

// pictures erases what the consumer has archived of a request, whichever vendor took
// it: that an id came again, for another vendor, shows in no record any more.
func (e *eraser) pictures(ctx context.Context, about proof) error {
	if e.archive == nil {
		return nil
	}
	about.What, about.Bucket = whatPicture, e.archive.Bucket
	keys, err := e.archive.Of(ctx, about.RequestID)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		about.Outcome, about.Error = outcomeFailed, err.Error()
		return e.proofs.write(about)
	case len(keys) == 0:
		about.Outcome = outcomeGone
		return e.proofs.write(about)
	}
	for _, key := range keys {
		if err := e.object(ctx, e.archive.Store, storage.Ref{Bucket: e.archive.Bucket, Key: key}, about); err != nil {
			return err
		}
	}
	return nil
}

// toArchive says so if the consumer has not archived all pictures of a request yet:
// it cannot be told to leave it, and may be at it just now.
func (e *eraser) toArchive(t *trace, about proof) error {
	due := t.toArchive()
	if due.IsZero() {
		return nil
	}
	about.What, about.Outcome, about.Due = whatPicture, outcomePending, due
	return e.proofs.write(about)
}
