// Command producer publishes campaigns of face re-authentication requests, watches
// them until every request has its result, shows the history of a request, sends
// dead letters back, and erases what is kept of a person.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"reauth/internal/ops"
)

// version is set by the linker in a release.
var version string

func main() {
	ctx, stop := ops.Signals(context.Background())
	code := execute(ctx, os.Args[1:], world{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(),
	})
	stop()
	os.Exit(code)
}

// The exit codes.
const (
	exitFailed     = 1
	exitTimedOut   = 3
	exitIncomplete = 4
	// exitStopped is what a shell reports after Ctrl-C.
	exitStopped = 130
)

// errTimedOut is in the chain when a campaign was not complete in time.
var errTimedOut = errors.New("timed out")

// execute runs the command line and returns the exit code.
func execute(ctx context.Context, args []string, w world) int {
	root := newRoot(w)
	root.SetArgs(args)
	root.SetIn(w.in)
	root.SetOut(w.out)
	root.SetErr(w.err)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(w.err, "producer:", err)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ops.ErrStop):
		return exitStopped
	case errors.Is(err, errTimedOut):
		return exitTimedOut
	case errors.Is(err, errIncomplete):
		return exitIncomplete
	}
	return exitFailed
}
