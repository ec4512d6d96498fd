// Command gotest runs go test and shows only what a person has to read: the
// output of what failed, then one closing line with the counts.
//
//	gotest [-events FILE] -- ARGUMENTS OF go test…
//
// It exits with 1 when anything failed. Underneath it is plain go test -json;
// -events keeps that stream for other tools.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	events := flag.String("events", "", "also write the raw go test -json stream to this `file`")
	flag.Parse()
	if err := run(*events, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
}

// run returns an error when a test failed as well as when go test could not
// be started: both mean that nothing may be concluded from the run.
func run(eventsFile string, args []string) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("opening the pipe from go test: %w", err)
	}

	stream := io.Reader(stdout)
	if eventsFile != "" {
		f, err := os.Create(eventsFile)
		if err != nil {
			return fmt.Errorf("keeping the events: %w", err)
		}
		defer f.Close()
		stream = io.TeeReader(stdout, f)
	}

	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting go test: %w", err)
	}
	t, readErr := tally(stream, os.Stdout)
	if readErr != nil {
		// Nobody reads the pipe any more: go test would block on it.
		_ = cmd.Process.Kill()
	}
	waitErr := cmd.Wait()
	fmt.Println(t)

	if readErr != nil {
		return readErr
	}
	if waitErr != nil {
		return fmt.Errorf("go test: %w", waitErr)
	}
	return nil
}
