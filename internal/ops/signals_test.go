package ops

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// stoppable makes the test binary a process that waits for signals.
const stoppable = "OPS_TEST_WAIT_FOR_SIGNALS"

func waitForSignals() {
	ctx, stop := Signals(context.Background())
	defer stop()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	time.Sleep(time.Hour) // a stop that hangs
}

// TestSecondSignalEndsAHangingProcess runs a process that does not come to its
// end after the first signal.
func TestSecondSignalEndsAHangingProcess(t *testing.T) {
	for s, want := range map[syscall.Signal]struct {
		cause string
		code  int
	}{syscall.SIGTERM: {"asked to stop by terminated", 143}, syscall.SIGINT: {"asked to stop by interrupt", 130}} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), stoppable+"=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		lines := bufio.NewScanner(out)
		for _, line := range []string{"ready", want.cause} {
			if !lines.Scan() || lines.Text() != line {
				t.Fatalf("%s: the process says %q, want %q", s, lines.Text(), line)
			}
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != want.code {
			t.Errorf("%s: the process ended with %v, want status %d", s, err, want.code)
		}
	}
}

func TestFirstSignalStopsAndSecondExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		received := make(chan os.Signal, 2)
		var codes []int
		ctx, end := watch(t.Context(), received, func(code int) { codes = append(codes, code) })
		defer end()

		received <- syscall.SIGTERM
		synctest.Wait()
		if !errors.Is(context.Cause(ctx), ErrStop) || len(codes) > 0 {
			t.Errorf("after one signal: cause %v, exits %v", context.Cause(ctx), codes)
		}
		received <- syscall.SIGINT
		synctest.Wait()
		if len(codes) != 1 || codes[0] != 130 {
			t.Errorf("after two signals: exits %v", codes)
		}
	})
}

func TestEndWithoutASignalIsNoStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		received := make(chan os.Signal, 2)
		ctx, end := watch(t.Context(), received, func(int) { t.Error("exited") })
		end()
		end() // as a deferred one would
		if err := context.Cause(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrStop) {
			t.Errorf("cause %v", err)
		}
		received <- syscall.SIGTERM // to nobody
		synctest.Wait()
	})
}

func TestParentEndsTheContext(t *testing.T) {
	parent, cancel := context.WithCancelCause(context.Background())
	ctx, stop := Signals(parent)
	defer stop()
	broken := errors.New("broken")
	cancel(broken)
	if <-ctx.Done(); !errors.Is(context.Cause(ctx), broken) {
		t.Errorf("cause %v", context.Cause(ctx))
	}
}
