// Command consumer takes face re-authentication requests from Kafka to their
// results.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"reauth/internal/ops"
)

// version is set by the linker in a release.
var version string

func main() {
	// net/http tells the standard logger what a server sent unasked, which
	// could be bytes of a selfie; what we have to say goes through slog.
	log.SetOutput(io.Discard)
	ctx, stop := ops.Signals(context.Background())
	code := execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// execute runs the command line and returns the exit code.
func execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	root := newRoot(environ)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "consumer:", err)
		return 1
	}
	return 0
}
