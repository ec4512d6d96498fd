package storage

import (
	"context"
	"net/http"
	"slices"

	"reauth/internal/event"
)

// Has says whether there is an object under ref that these credentials may read.
// It costs one GET, of which it reads nothing but the status. An error, an
// *Error, says that this could not be found out.
func (s *Store) Has(ctx context.Context, ref Ref) (bool, error) {
	if ref.Bucket == "" {
		ref.Bucket = s.buckets[0]
	}
	found, fault := s.has(ctx, ref)
	if fault != nil {
		fault.Op, fault.Bucket = "look", ref.Bucket
		return false, fault
	}
	return found, nil
}

func (s *Store) has(ctx context.Context, ref Ref) (bool, *Error) {
	if !slices.Contains(s.buckets, ref.Bucket) {
		return false, &Error{Kind: Refused, Reason: event.SelfieForbidden}
	}
	asking, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	// Not a HEAD: its answer has no code, and a bare 404 may come from something
	// that is no S3.
	fault := s.ask(ctx, asking, http.MethodGet, ref)
	switch {
	case fault == nil:
		return true, nil
	case fault.Reason == event.SelfieNotFound:
		return false, nil
	}
	return false, fault
}
