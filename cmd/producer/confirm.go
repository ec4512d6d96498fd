package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// errDeclined is in the chain when the user did not say yes.
var errDeclined = errors.New("not confirmed")

// confirm asks a question on a terminal. It returns nil for yes, else an error
// that wraps errDeclined, or the cause of ctx.
func confirm(ctx context.Context, in io.Reader, out io.Writer, question string) error {
	fmt.Fprintf(out, "%s [y/N] ", question)
	answer := make(chan string, 1)
	// Nothing ends a read from a terminal but the end of the process, which is
	// what follows a signal here.
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n') // an error says no
		answer <- line
	}()
	select {
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return errDeclined
	case <-ctx.Done():
		fmt.Fprintln(out)
		return context.Cause(ctx)
	}
}
