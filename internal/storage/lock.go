package storage

import (
	"context"
	"errors"
	"net/http"
	"time"
)

var errNoDelete = errors.New("is s3:DeleteObject, or for a version s3:DeleteObjectVersion, granted? " +
	"That an object is locked shows only to those with s3:GetObjectRetention and s3:GetObjectLegalHold")

// explainDenial tells an object that S3 Object Lock protects, which is held, from
// one that the credentials may not delete, which is a fault. Amazon answers both
// with AccessDenied (Amazon S3 user guide, "How S3 Object Lock works"); MinIO
// says InvalidRequest of a locked object.
func (s *Store) explainDenial(ctx context.Context, ref Ref, denied *Error) (Result, *Error) {
	if denied.Code != accessDenied && denied.Code != "InvalidRequest" {
		return "", denied
	}
	got, fault := s.exchange(ctx, request{method: http.MethodHead, ref: ref})
	switch {
	case fault == nil && isLocked(got.header, time.Now()):
		return Held, nil
	case fault != nil && fault.Kind == Interrupted:
		return "", fault
	}
	if denied.Code == accessDenied {
		denied.Err = errNoDelete
	}
	return "", denied
}

// isLocked reads the Object Lock headers of a HEAD. An end that it cannot read
// counts as one that has not come.
func isLocked(h http.Header, now time.Time) bool {
	if h.Get("X-Amz-Object-Lock-Legal-Hold") == "ON" || h.Get("X-Amz-Object-Lock-Event-Hold") == "ON" {
		return true
	}
	until := h.Get("X-Amz-Object-Lock-Retain-Until-Date")
	if until == "" {
		return false
	}
	end, err := time.Parse(time.RFC3339, until)
	return err != nil || end.After(now)
}
