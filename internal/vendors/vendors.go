// Package vendors holds the contract between the pipeline and an identity
// vendor, and the lane: the one path to a vendor, with its limiter, breaker,
// pause and timeout. An adapter knows its protocol and nothing else: it builds
// the call, reads the answer and classifies it. What follows from a
// classification is decided by the pipeline.
package vendors

import (
	"context"
	"fmt"
	"io"
	"time"

	"reauth/internal/event"
)

// Call is one attempt to authenticate a subject.
type Call struct {
	RequestID     string
	SubmissionID  string
	ApplicantID   string
	UserID        string
	CF1, CF2, CF3 string
	RedirectURL   string
	// Selfie is nil for vendors that take none.
	Selfie Selfie
}

// Selfie is an image held in bounded memory.
type Selfie interface {
	// Size is the length in bytes.
	Size() int64
	// ContentType is image/jpeg or image/png, from the content.
	ContentType() string
	// Body returns the bytes, once. Closing it gives the memory back, so an
	// adapter hands it to the HTTP request, whose transport closes it when
	// it has been sent: a selfie need not be held while the vendor thinks.
	Body() io.ReadCloser
}

// Verdict is the vendor's word: a success to the breaker, whatever it says.
type Verdict struct {
	// Outcome is Approved, Rejected, Unusable or Ineligible.
	Outcome event.Outcome
	Reasons []event.Reason
	// Codes are the vendor's own, as sent.
	Codes []string
	// Scores are 0 to 100; nil when the vendor gave none.
	Scores map[string]float64
	// Reference is the vendor's id of this authentication; empty when the
	// answer carries none.
	Reference string
	Liveness  event.Liveness
	// At is the vendor's own time of the verdict, zero when it gave none.
	At time.Time
}

// Adapter speaks one vendor's protocol. All methods may be used by many
// goroutines at once, and all pass vendortest.Run.
type Adapter interface {
	Name() event.Vendor
	Capabilities() Capabilities
	// Authenticate makes exactly one paid call: it never repeats one by
	// itself. Every error is an *Error. The deadline is the caller's.
	Authenticate(ctx context.Context, c Call) (Verdict, error)
	// Check tries address and credentials without a paid call. Every error
	// is an *Error.
	Check(ctx context.Context) error
}

// Capabilities says what an adapter's vendor can do.
type Capabilities struct {
	// NeedsSelfie: the call carries the selfie.
	NeedsSelfie bool
	// Subject is the request field that names the subject: submission_id or
	// applicant_id.
	Subject string
	// Findable: the adapter is a Finder.
	Findable bool
	// Erasable: the adapter is an Eraser.
	Erasable bool
	// Liveness of every verdict.
	Liveness event.Liveness
}

// Finder is an adapter whose vendor can be asked what became of calls.
type Finder interface {
	// Find returns for each of the calls the authentications that the vendor
	// made for its subject at or after since, oldest first. It never returns
	// less than there is: what it cannot read is an error. Each of its own
	// requests to the vendor is made within turn.
	Find(ctx context.Context, calls []Call, since time.Time, turn Turn) ([][]Verdict, error)
}

// Turn waits until a request may be made to the vendor and has it made by do,
// whose error it returns: a vendor counts requests, whatever they are for. The
// context given to do has the lane's timeout. Its own errors are those of
// Lane.Reserve.
type Turn func(ctx context.Context, do func(context.Context) error) error

// Eraser is an adapter whose vendor can delete an authentication's data.
type Eraser interface {
	// Erase deletes what the vendor keeps under reference. Erasing twice is
	// not an error.
	Erase(ctx context.Context, reference string) error
}

// Kind is the class of a fault.
type Kind uint8

// The kinds.
const (
	// Transient: the same call may succeed later.
	Transient Kind = iota + 1
	// Throttled: the vendor asks for fewer calls.
	Throttled
	// LaneFault: every call would fail the same way (key, credit, address,
	// allow-list): the lane pauses, requests are kept.
	LaneFault
	// Refused: this request can never succeed, and neither the selfie nor
	// the subject is to blame (the vendor does not understand the call).
	Refused
)

// String returns the kind as it stands in logs and metric labels.
func (k Kind) String() string {
	switch k {
	case Transient:
		return "transient"
	case Throttled:
		return "throttled"
	case LaneFault:
		return "lane_fault"
	case Refused:
		return "refused"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Error is how every call to a vendor fails. Its text never holds a
// credential, an image byte or personal data: it is made of the fields here,
// and Err must keep to the same rule (see Scrub).
type Error struct {
	Vendor event.Vendor
	Kind   Kind
	// Op is what was being done, such as "authenticate" or "find".
	Op string
	// Status is the HTTP status, 0 when there was no answer.
	Status int
	// Code is the vendor's own error code, a known one or "", never free text.
	Code string
	// RetryAfter is what the vendor asked for, 0 when it did not.
	RetryAfter time.Duration
	// Unknown: the vendor may have acted on the call, and charged for it.
	// False only if it is certain that it has not.
	Unknown bool
	// Err is the cause, nil when the fields say all.
	Err error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s: %s", e.Vendor, e.Op, e.Kind)
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
