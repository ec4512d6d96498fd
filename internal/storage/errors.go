package storage

import (
	"errors"
	"fmt"

	"reauth/internal/event"
)

// Kind says what follows from an error.
type Kind uint8

// The kinds.
const (
	// Unusable: the selfie is to blame, for the Reason given; a new one is
	// needed.
	Unusable Kind = iota + 1
	// Fault: every fetch would fail the same way (access, credentials,
	// bucket, region, certificate): the lane pauses, requests are kept.
	Fault
	// Transient: the same fetch may succeed later.
	Transient
	// Throttled: the store asks for fewer requests.
	Throttled
	// Refused: this request can never succeed and the selfie is not to
	// blame: its bucket is not allowed, or its object is archived and an
	// operator must restore it. Reason is event.SelfieForbidden. Or there is
	// no room for one more tag: ErrTagsFull.
	Refused
	// Interrupted: the caller's context ended. Not a failed attempt; the
	// context's cause is in the chain.
	Interrupted
)

// String returns the kind as it stands in logs and metric labels.
func (k Kind) String() string {
	switch k {
	case Unusable:
		return "unusable"
	case Fault:
		return "fault"
	case Transient:
		return "transient"
	case Throttled:
		return "throttled"
	case Refused:
		return "refused"
	case Interrupted:
		return "interrupted"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// unusableReasons are the reasons that go with Unusable.
var unusableReasons = []event.Reason{
	event.SelfieNotFound,
	event.SelfieEmpty,
	event.SelfieTooLarge,
	event.SelfieNotImage,
	event.SelfieTruncated,
	event.SelfiePixels,
	event.SelfieUnreadable,
}

// Error is how every method of a Store fails. Its text never holds the key, which
// may be personal, nor what the store wrote beyond its error code.
type Error struct {
	Kind Kind
	// Reason goes with Unusable, and with Refused but for ErrTagsFull; empty
	// otherwise.
	Reason event.Reason
	// Op is what was being done: "fetch", "check", "look", "tag", "delete",
	// "erase" or "archive".
	Op     string
	Bucket string
	// Version is that of the selfie that was read and is Unusable; empty if
	// there is none, or it is unknown.
	Version string
	// Status is the HTTP status of the answer, 0 when there was none or it
	// is not to blame.
	Status int
	// Code is the store's error code, such as AccessDenied; letters, digits
	// and dots only, or empty.
	Code string
	// Err is the cause, nil when the fields say all.
	Err error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("storage: %s, bucket %q: %s", e.Op, e.Bucket, e.Kind)
	if e.Reason != "" {
		s += ": " + string(e.Reason)
	}
	if e.Status != 0 {
		s += fmt.Sprintf(": HTTP %d", e.Status)
	}
	if e.Code != "" {
		s += ": " + e.Code
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// unusable returns the error for a selfie that is to blame.
func unusable(reason event.Reason) *Error {
	return &Error{Kind: Unusable, Reason: reason}
}

// errNoObject: what came is no picture, and no object either: a console, a proxy or a
// portal answers every request with a page, and no person is to blame for that.
var errNoObject = errors.New("what came has no ETag: this is no S3")

// ErrTagsFull says that the object has as many tags as S3 allows; none is to be
// lost for one more.
var ErrTagsFull = fmt.Errorf("the object has %d tags already", maxTags)

// What a Selfie's Body answers when there is nothing to read any more.
var (
	// ErrReleased: the memory has been given back.
	ErrReleased = errors.New("selfie has been released")
	// ErrBodyTaken: a body is handed out once.
	ErrBodyTaken = errors.New("selfie's body has been taken before")
)
