package ops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// ErrStop is the cause of a context that a signal cancelled.
var ErrStop = errors.New("asked to stop")

// Signals returns a context that the first SIGTERM or SIGINT cancels, with a
// cause that wraps ErrStop and names the signal. The second one ends the
// process at once with status 143 or 130, as a shell would report it: whoever
// asks twice does not want to wait. stop gives the signals their usual effect
// back and cancels the context.
func Signals(parent context.Context) (ctx context.Context, stop func()) {
	// Two: the second may come before the first was looked at.
	received := make(chan os.Signal, 2)
	signal.Notify(received, syscall.SIGTERM, os.Interrupt)
	ctx, end := watch(parent, received, os.Exit)
	return ctx, func() {
		signal.Stop(received)
		end()
	}
}

// watch is Signals with the signals and the exit given.
func watch(parent context.Context, received <-chan os.Signal, exit func(int)) (ctx context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ended := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case s := <-received:
			cancel(fmt.Errorf("%w by %s", ErrStop, s))
		case <-ended:
			return
		}
		select {
		case s := <-received:
			exit(status(s))
		case <-ended:
		}
	})
	return ctx, sync.OnceFunc(func() {
		close(ended)
		watching.Wait()
		cancel(nil)
	})
}

// status is what a shell reports for a process that s ended.
func status(s os.Signal) int {
	if number, ok := s.(syscall.Signal); ok {
		return 128 + int(number)
	}
	return 1
}
