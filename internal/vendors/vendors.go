// Package vendors holds the contract between the pipeline and an identity
// vendor, and the lane: the one path to a vendor, with its limiter, breaker,
// pause and timeout. An adapter knows its protocol and nothing else: it builds
// the call, reads the answer and classifies it. What follows from a
// classification is decided by the pipeline.
package vendors

import (
	"context"
	"errors"
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
	// Reference is the picture that the selfie is compared with, for a vendor
	// that keeps none of its own; nil if the request names none.
	Reference *ObjectRef
	// NotAfter is when the request expires, zero for never.
	NotAfter time.Time

	// State is that of the last Pending of the request, empty before there is
	// one.
	State string
	// Unsure: an earlier call with this State may have been made, and nobody
	// knows what came of it. The adapter finds out before it does anything
	// that must not be done twice. Only a Resumable adapter sees it set.
	Unsure bool
}

// ObjectRef names an object in an S3 bucket; an empty Version is the latest.
type ObjectRef struct{ Bucket, Key, Version string }

// Selfie is an image held in bounded memory.
type Selfie interface {
	// Size is the length in bytes.
	Size() int64
	// ContentType is image/jpeg or image/png, from the content.
	ContentType() string
	// Reader returns a reader from the first byte, as often as wanted, for an
	// adapter that must know the bytes before it sends them, as to sign them.
	// It gives no memory back; once Body's reader is closed it fails.
	Reader() io.Reader
	// Body returns the bytes, once. Closing it gives the memory back, so an
	// adapter hands it to the HTTP request, whose transport closes it when
	// it has been sent: a selfie need not be held while the vendor thinks.
	Body() io.ReadCloser
}

// Verdict is the vendor's word: a success to the breaker, whatever it says.
type Verdict struct {
	// Outcome is Approved, Rejected, Unusable or Ineligible, or Expired if the
	// vendor waited for the person in vain.
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
	// Pending is set if there is no verdict yet; then Outcome is empty.
	Pending *Pending
}

// Pending says that the vendor needs more calls, or more time, for its verdict.
type Pending struct {
	// State is what the adapter wants to know at its next call for the
	// request: at most MaxState bytes of text, without secrets and personal
	// data, since it is kept in the ledger.
	State string
	// Reference is the vendor's id of the authentication, by which a webhook
	// tells that there is news; empty before there is one.
	Reference string
	// After is the longest wait before the next call; news ends it sooner.
	After time.Duration
	// Invite is set when the person is to be asked for something.
	Invite *Invite
}

// MaxState bounds Pending.State.
const MaxState = 512

// Invite is what a person needs to do their part. It is announced before the
// State that it came with is kept, so it may come again with the same Number.
type Invite struct {
	// Number is 1 for the first invitation of a request.
	Number    int
	URL       string // who has it can act as the person: for no log and no ledger
	ExpiresAt time.Time
}

// Adapter speaks one vendor's protocol. All methods may be used by many
// goroutines at once, and all pass vendortest.Run.
type Adapter interface {
	Name() event.Vendor
	Capabilities() Capabilities
	// Authenticate makes exactly one paid call: it never repeats one by
	// itself. An adapter whose vendor needs several calls for a verdict makes
	// one of them, and returns Pending. Every error is an *Error. The deadline
	// is the caller's.
	Authenticate(ctx context.Context, c Call) (Verdict, error)
	// Check tries address and credentials without a paid call. Every error
	// is an *Error.
	Check(ctx context.Context) error
}

// Preparer is an adapter whose calls need something that may take time to get, such
// as an access token. Calls that waited for it after their slots had come would all
// leave at once when it is there, however few the vendor allows.
type Preparer interface {
	// Prepare gets what the next call needs, or returns at once if that is there.
	// It makes no paid call. Every error is an *Error.
	Prepare(ctx context.Context) error
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
	// Resumable: the adapter finds out by itself what became of a call, from
	// Call.State and Call.Unsure.
	Resumable bool
	// Revisable: the adapter is a Reviewer.
	Revisable bool
	// Erasable: the adapter is an Eraser.
	Erasable bool
	// Liveness of every verdict that rests on the person's face.
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
// context given to do has the lane's timeout. Beside that its only error is the
// context's cause.
type Turn func(ctx context.Context, do func(context.Context) error) error

// Reviewer is an adapter whose vendor may change a verdict that it gave.
type Reviewer interface {
	// Review returns the present verdict on an authentication; its Pending is
	// set if the vendor has taken the former one back and has no other yet. It
	// makes one free request to the vendor. Every error is an *Error.
	Review(ctx context.Context, reference string) (Verdict, error)
}

// News is what a vendor's webhook tells of an authentication. It is a hint: the
// truth is what the vendor says when it is asked.
type News struct {
	Vendor event.Vendor
	// Reference is the vendor's id of the authentication: a Pending's or a
	// Verdict's.
	Reference string
	// Outcome is that of the verdict that there is said to be, empty if none.
	Outcome event.Outcome
}

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
	// Throttled: the vendor asks for fewer calls. If it does so of one request
	// alone, that is Unexplained in the end (suspects.go).
	Throttled
	// LaneFault: every call would fail the same way (key, credit, address,
	// allow-list): the lane pauses, requests are kept. If one fails so alone, that
	// is Unexplained in the end (suspects.go).
	LaneFault
	// Refused: this request can never succeed, and neither the selfie nor
	// the subject is to blame (the vendor does not understand the call).
	Refused
	// Unexplained: an answer that the vendor is not known to give, as from a
	// gateway before it, or a code that is new. It says nothing about the
	// request. One of it is like a Transient; when requests in a row get one
	// the lane pauses as for a LaneFault (unexplained.go).
	Unexplained
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
	case Unexplained:
		return "unexplained"
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

// Unsent is the error of an operation of which no answer came back. reached: the
// vendor may have acted on it. Every call fails like one that is not made as the
// other side is not to be trusted. One that was made, before a gateway went on
// without TLS, say, does not: its outcome is to be found out.
func Unsent(vendor event.Vendor, op string, reached bool, err error) *Error {
	kind := Transient
	if !reached && errors.Is(err, ErrUntrusted) {
		kind = LaneFault
	}
	return &Error{Vendor: vendor, Kind: kind, Op: op, Unknown: reached, Err: err}
}
