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
	"slices"
	"strings"
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
// be started: both mean that nothing may be concluded from the run. Packages in
// which the race detector broke down are run once more, whole.
func run(eventsFile string, args []string) error {
	events := io.Discard
	if eventsFile != "" {
		f, err := os.Create(eventsFile)
		if err != nil {
			return fmt.Errorf("keeping the events: %w", err)
		}
		defer f.Close()
		events = f
	}
	all, err := goTest(events, args)
	if len(all.crashed) > 0 && all.failed == len(all.crashed) {
		fmt.Println("the race detector broke down; once more:", strings.Join(all.crashed, " "))
		var again outcome
		again, err = goTest(events, only(args, all.crashed))
		all.passed, all.failed, all.skipped = all.passed+again.passed, again.failed, all.skipped+again.skipped
	}
	fmt.Println(all.counts)
	return err
}

// only returns the arguments with packages in place of theirs, which are those
// with a slash.
func only(args, packages []string) []string {
	rest := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return strings.Contains(arg, "/") })
	return append(rest, packages...)
}

// goTest runs go test once and writes its events to events.
func goTest(events io.Writer, args []string) (outcome, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return outcome{}, fmt.Errorf("opening the pipe from go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return outcome{}, fmt.Errorf("starting go test: %w", err)
	}
	all, readErr := tally(io.TeeReader(stdout, events), os.Stdout)
	if readErr != nil {
		// Nobody reads the pipe any more: go test would block on it.
		_ = cmd.Process.Kill()
	}
	waitErr := cmd.Wait()
	if readErr != nil {
		return all, readErr
	}
	if waitErr != nil {
		return all, fmt.Errorf("go test: %w", waitErr)
	}
	return all, nil
}
