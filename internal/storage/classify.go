package storage

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"reauth/internal/event"
)

// brokenAnswer is an answer that stopped before its end.
type brokenAnswer struct{ err error }

func (b *brokenAnswer) Error() string { return "answer broke off: " + b.err.Error() }
func (b *brokenAnswer) Unwrap() error { return b.err }

// credentialsError: there is nothing to sign with.
type credentialsError struct{ err error }

func (c *credentialsError) Error() string { return "getting credentials: " + c.err.Error() }
func (c *credentialsError) Unwrap() error { return c.err }

// errUnclear stands in for an error whose text may quote what the store sent.
var errUnclear = errors.New("answer could not be understood")

// classify says what it means that a request got no whole answer. The caller's
// context ends a request without blame; getting, made from it, ends it as timed
// out. It keeps only errors whose text comes from this side: net/http quotes an
// answer that it cannot parse, which might be a piece of an image.
func classify(caller, getting context.Context, err error) *Error {
	if caller.Err() != nil {
		return &Error{Kind: Interrupted, Err: context.Cause(caller)}
	}
	var credentials *credentialsError
	if errors.As(err, &credentials) {
		return &Error{Kind: Fault, Err: credentials}
	}
	if getting.Err() != nil {
		return &Error{Kind: Transient, Err: fmt.Errorf("no whole answer in time: %w", context.DeadlineExceeded)}
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return &Error{Kind: Fault, Err: certificate}
	}
	var operation *net.OpError
	if errors.As(err, &operation) {
		return &Error{Kind: Transient, Err: operation}
	}
	for _, known := range []error{io.ErrUnexpectedEOF, io.EOF, net.ErrClosed} {
		if errors.Is(err, known) {
			return &Error{Kind: Transient, Err: &brokenAnswer{known}}
		}
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return &Error{Kind: Transient, Err: fmt.Errorf("no connection in time: %w", context.DeadlineExceeded)}
	}
	return &Error{Kind: Transient, Err: errUnclear}
}

// judge says what a refusal of q means, by code and status as listed in
// "Error responses" of the Amazon S3 API reference. What it does not know is
// Transient: a lane does not pause for one odd object, and a fault that all
// objects share runs into the retry limit slowly enough for someone to see it.
func judge(q request, r refusal) *Error {
	e := &Error{Kind: Transient, Status: r.status, Code: r.code}
	switch {
	case isMissing(q, r):
		e.Kind, e.Reason = Unusable, event.SelfieNotFound
	case r.code == "InvalidObjectState":
		// Archived. The picture is fine and a new one would not be
		// better: an operator restores it and sends the request again.
		e.Kind, e.Reason = Refused, event.SelfieForbidden
	case isThrottling(r):
		e.Kind = Throttled
	case isFault(r):
		e.Kind, e.Err = Fault, r.hint()
	}
	return e
}

// isMissing reports whether there is no such selfie. A bare 404 does not say so:
// it may come from something that is no S3, and every person would be blamed.
func isMissing(q request, r refusal) bool {
	switch r.code {
	case "NoSuchKey", "NoSuchVersion", "KeyTooLongError":
		return true
	case "InvalidArgument":
		// Of all that goes without a body, only the version id can be invalid
		// so.
		return q.ref.Version != "" && len(q.body) == 0
	}
	return r.deleted
}

func isThrottling(r refusal) bool {
	switch r.code {
	case "SlowDown", "ServiceUnavailable", "RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequests", "BandwidthLimitExceeded":
		return true
	}
	return r.status == http.StatusServiceUnavailable || r.status == http.StatusTooManyRequests
}

// isFault reports whether every request would be answered like this.
func isFault(r refusal) bool {
	switch r.code {
	case "TemporaryRedirect": // while the name of a new bucket spreads
		return false
	case "RequestTimeTooSkewed", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
		"AuthorizationHeaderMalformed", "InvalidBucketName", "IllegalLocationConstraintException",
		"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurity", "NotImplemented":
		return true
	}
	switch r.status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden,
		http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	}
	return r.status < http.StatusBadRequest
}
