package rekognition

import (
	"context"

	"reauth/internal/vendors"
)

// lookFor finds out what it means that Amazon could not read the reference:
// its answer is the same for one that is missing, in another region, or not for
// these credentials to read. missing is the verdict in the first case. In the
// others each request would end alike, so they are Transient: their requests are
// kept while the breaker is open, and dead-lettered if it is only this picture.
func (a *Adapter) lookFor(ctx context.Context, reference vendors.ObjectRef, answer vendors.Answer, missing vendors.Verdict) (vendors.Verdict, error) {
	if a.hasReference == nil {
		return missing, nil
	}
	there, err := a.hasReference(ctx, reference)
	switch {
	case err != nil && ctx.Err() != nil:
		answer.Err = vendors.Scrub(ctx, err)
		fallthrough
	case err != nil:
		return vendors.Verdict{}, a.fault(opAuthenticate, answer, codeUnclear, meaning{kind: vendors.Transient})
	case there:
		return vendors.Verdict{}, a.fault(opAuthenticate, answer, codeHidden, meaning{kind: vendors.Transient})
	}
	return missing, nil
}
