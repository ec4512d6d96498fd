package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// process is a child that is measured through /proc, so this needs Linux.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed once err is set
	err   error
}

// stopTime is how long a child may take to end before it is killed.
const stopTime = 40 * time.Second

// launch starts a program with our environment and the variables given. Its
// standard error goes to stderr.
func launch(environ []string, stderr io.Writer, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...) //nolint:gosec,noctx // our own binaries, stopped by signal so that they end in order
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop asks the process to end and waits until it has.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", p.name, err)
	}
	select {
	case <-p.ended:
	case <-time.After(stopTime):
		p.kill()
	}
	if p.err != nil {
		return fmt.Errorf("%s ended badly: %w", p.name, p.err)
	}
	return nil
}

// kill ends the process as a power cut does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only for one that has ended
	<-p.ended
}

// alive is nil while the process runs.
func (p *process) alive() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended by itself: %w", p.name, errors.Join(p.err, io.ErrUnexpectedEOF))
	default:
		return nil
	}
}

// tick is the unit of CPU times in /proc: USER_HZ, which is 100 on every
// architecture that Go runs on.
const tick = time.Second / 100

// cpu returns the CPU time that the process has used, in user mode and kernel.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time of %s: %w", p.name, err)
	}
	// The second field is the name in parentheses and can hold anything;
	// behind it utime and stime are the 12th and 13th (proc(5)).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("reading the CPU time of %s: %d fields", p.name, len(fields))
	}
	user, err := strconv.Atoi(string(fields[11]))
	kernel, err2 := strconv.Atoi(string(fields[12]))
	return time.Duration(user+kernel) * tick, errors.Join(err, err2)
}

// peak returns the most memory, in bytes, that the process ever had resident.
func (p *process) peak() (int64, error) { return peakOf(p.cmd.Process.Pid) }

func peakOf(pid int) (int64, error) { return memoryOf(pid, "VmHWM:") }

// resident returns the memory, in bytes, that the process has resident now.
func (p *process) resident() (int64, error) { return memoryOf(p.cmd.Process.Pid, "VmRSS:") }

// memoryOf reads a line of a process's status (proc(5)), in bytes.
func memoryOf(pid int, name string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory of a process: %w", err)
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			kB, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			return kB << 10, err
		}
	}
	return 0, fmt.Errorf("reading the memory of a process: no %s", name)
}

// await polls until done says so; it fails when the process ends or ctx does.
func (p *process) await(ctx context.Context, done func() bool) error {
	for !done() {
		if err := p.alive(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
