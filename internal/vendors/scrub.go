package vendors

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// ErrUntrusted is in the chain of a scrubbed error when the other side could
// not prove over TLS that it is the vendor: no call can succeed before either
// side's configuration changes.
var ErrUntrusted = errors.New("vendor is not trusted")

// Scrub returns err reduced to what may be logged. The text of an HTTP client's
// error can hold the URL (with credentials in its query, for some vendors),
// addresses, and bytes of the answer, into which a vendor may have copied parts
// of the request. The text of the returned error is one of a few phrases, and
// its chain holds only errors without data: those of ctx and their cause, error
// numbers, io.EOF, io.ErrUnexpectedEOF, ErrUntrusted.
//
// When ctx is done, that is the reason, whatever err says: tearing down a
// connection shows as many things.
func Scrub(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if done := ctx.Err(); done != nil {
		return scrubbedContext(ctx, done)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return scrubbed{text: stage(err) + errno.Error(), causes: []error{errno}}
	}
	for _, p := range phrases {
		if p.match(err) {
			return scrubbed{text: stage(err) + p.text, causes: p.causes}
		}
	}
	return scrubbed{text: stage(err) + "protocol error"}
}

// phrases are tried in this order.
var phrases = []struct {
	text   string
	match  func(error) bool
	causes []error
}{
	{"certificate is not trusted", has[*tls.CertificateVerificationError], []error{ErrUntrusted}},
	{"not a TLS server", is(http.ErrSchemeMismatch), []error{ErrUntrusted}},
	{"not a TLS server", has[tls.RecordHeaderError], []error{ErrUntrusted}},
	{"TLS was refused", has[tls.AlertError], nil},
	{"host name was not resolved", has[*net.DNSError], nil},
	{"selfie ended before its size", is(errSelfieShort), nil},
	{"too late for its slot", is(errBodyClosed), nil},
	{"timed out", timedOut, nil},
	{"connection was closed", is(io.ErrUnexpectedEOF), []error{io.ErrUnexpectedEOF}},
	{"connection was closed", is(io.EOF), []error{io.EOF}},
	{"connection was closed", is(net.ErrClosed), nil},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func has[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// stage says what a network operation was doing: "dial: ", "read: ", "write: ".
func stage(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		switch op.Op {
		case "dial", "read", "write":
			return op.Op + ": "
		}
	}
	return ""
}

func scrubbedContext(ctx context.Context, done error) error {
	s := scrubbed{text: "interrupted", causes: []error{done}}
	if errors.Is(done, context.DeadlineExceeded) {
		s.text = "timed out"
	}
	// A cause is given by this program, so its text is ours.
	if cause := context.Cause(ctx); !errors.Is(done, cause) {
		s.text = cause.Error()
		s.causes = append(s.causes, cause)
	}
	return s
}

// scrubbed is an error with nothing of the outside in it.
type scrubbed struct {
	text   string
	causes []error
}

func (s scrubbed) Error() string   { return s.text }
func (s scrubbed) Unwrap() []error { return s.causes }

// maxCode is longer than any code that a vendor documents.
const maxCode = 64

// CleanCode returns s if it has the form of a vendor's code: 1 to 64 letters,
// digits, underscores, dots and dashes of ASCII. Otherwise it returns "": it is
// free text, which may hold anything.
func CleanCode(s string) string {
	if len(s) > maxCode {
		return ""
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.', c == '-':
		default:
			return ""
		}
	}
	return s
}
