package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/ops"
)

// openTerminal returns both sides of a pseudoterminal of Linux, which are closed
// with the test.
func openTerminal(t *testing.T) (user, terminal *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this system has no pseudoterminals:", err)
	}
	t.Cleanup(func() { user.Close() })
	var number, locked int32
	for request, value := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &locked} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, user.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal("setting up a pseudoterminal:", errno)
		}
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return user, terminal
}

// runOn runs a command line on a terminal.
func (b *bench) runOn(ctx context.Context, terminal *os.File, errs *console, args ...string) ran {
	var out bytes.Buffer
	code := executed(ctx, args, world{in: terminal, out: &out, err: errs, environ: b.environ()})
	return ran{code, out.String(), errs.String()}
}

// asked waits for the question.
func (c *console) asked(t *testing.T) { t.Helper(); c.await(t, "[y/N]") }

func TestOnATerminalItAsks(t *testing.T) {
	for answer, want := range map[string]int{"\n": 0, "n\n": 0, "yess\n": 0, "y\n": 2, "Yes\n": 2} {
		b := newBench(t)
		b.write(sampleDead(t)...)
		user, terminal := openTerminal(t)
		errs := newConsole()
		ended := make(chan ran)
		go func() {
			ended <- b.runOn(context.Background(), terminal, errs, "dead", "redrive", "--reason", "attempts_exhausted")
		}()
		errs.asked(t)
		if n := len(b.records(event.TopicRequests)); n != 0 {
			t.Errorf("%d records were sent back before the answer", n)
		}
		fmt.Fprint(user, answer)
		r := <-ended
		code := 0
		if want == 0 {
			code = exitFailed
		}
		r.want(t, code, "attempts_exhausted  faceauth.requests", "send back 2 dead letters?")
		if want == 0 && !strings.Contains(r.err, "not confirmed: nothing was sent back") {
			t.Errorf("%q: standard error:\n%s", answer, r.err)
		}
		if n := len(b.records(event.TopicRequests)) + len(b.records(event.TopicPriority)); n != want {
			t.Errorf("%q: %d records were sent back, want %d", answer, n, want)
		}
	}
}

func TestASignalEndsTheQuestion(t *testing.T) {
	b := newBench(t)
	b.write(sampleDead(t)...)
	_, terminal := openTerminal(t)
	errs := newConsole()
	ctx, stop := context.WithCancelCause(context.Background())
	ended := make(chan ran)
	go func() { ended <- b.runOn(ctx, terminal, errs, "dead", "redrive", "--all") }()
	errs.asked(t)
	stop(fmt.Errorf("%w by interrupt", ops.ErrStop))
	r := <-ended
	r.want(t, exitStopped, "nothing was sent back")
}

// The answer may take its time, and others may do the same meanwhile.
func TestWhatWasSentBackWhileItAskedIsNotSentAgain(t *testing.T) {
	b := newBench(t)
	b.write(sampleDead(t)...)
	user, terminal := openTerminal(t)
	errs := newConsole()
	ended := make(chan ran)
	go func() {
		ended <- b.runOn(context.Background(), terminal, errs, "dead", "redrive", "--campaign", "autumn")
	}()
	errs.asked(t)
	b.redrive("--request", "r1")
	fmt.Fprint(user, "y\n")
	r := <-ended
	r.want(t, 0)
	if !strings.Contains(r.out, "sent back  2\n") {
		t.Errorf("summary:\n%s", r.out)
	}
	var ids []string
	for _, q := range b.requests(append(b.records(event.TopicRequests), b.records(event.TopicPriority)...)) {
		ids = append(ids, q.RequestID)
	}
	if diff := cmp.Diff([]string{"r1", "r2", "r4"}, ids); diff != "" {
		t.Errorf("sent back (-want +got):\n%s", diff)
	}
}
