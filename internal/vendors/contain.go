package vendors

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
)

// errPanicked is the cause of an error that stands for a panic.
var errPanicked = errors.New("reauth panicked over it, which is a fault of its own; the log has the stack")

// Contain calls do, with which an adapter deals with something that the vendor sent,
// and returns its error. A panic of do ends as one, Unexplained and Unknown: whoever
// takes over from a process that ends asks about the same call again and would end
// like it, the calls of all others with it, and pay for the call each time.
func (l *Lane) Contain(op string, do func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			l.metrics.panics.Inc()
			l.log.Error("an adapter panicked", slog.String("op", op), slog.String("panic", panicText(value)), slog.String("stack", string(debug.Stack())))
			err = &Error{Vendor: l.metrics.vendor, Kind: Unexplained, Op: op, Unknown: true, Err: errPanicked}
		}
	}()
	return do()
}

// panicText is what may be said of a panic's value: the runtime's own texts hold
// numbers and types only, others may hold what somebody sent.
func panicText(value any) string {
	if fault, ok := value.(runtime.Error); ok {
		return fault.Error()
	}
	return fmt.Sprintf("a %T", value)
}
