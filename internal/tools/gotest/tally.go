package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
)

// counts are tests, subtests included. A package that fails outside its tests
// (it does not build, or its TestMain fails) is one more failure.
type counts struct {
	passed, failed, skipped int
}

// String is the closing line.
func (c counts) String() string {
	s := fmt.Sprintf("%d passed, %d failed", c.passed, c.failed)
	if c.skipped > 0 {
		s += fmt.Sprintf(", %d skipped", c.skipped)
	}
	return s
}

// event is one line of go test -json, as described by go doc test2json.
type event struct {
	Action     string
	Package    string
	ImportPath string // instead of Package, when the compiler speaks
	Test       string // empty when the package itself is meant
	Output     string
}

// unit is a test, or with an empty test a package.
type unit struct{ pkg, test string }

// reader holds what may have to be shown later, until the unit ends.
type reader struct {
	w      io.Writer
	counts counts
	output map[unit][]string
	// failures counts, per package, the tests that failed in it.
	failures map[string]int
	// crashed are the packages whose test was ended by a fault of the race
	// detector itself.
	crashed map[string]bool
}

// detectorFault is what is said when the race detector finds itself broken, or
// breaks down, as it does now and then in a synctest bubble (golang/go#78156, Go
// 1.26). The second form is the runtime's for a bad address used by code that is not
// Go: of that a test has the race detector's only. Neither says anything about the
// code under test.
var detectorFault = regexp.MustCompile(`ThreadSanitizer: CHECK failed|^PC=0x[0-9a-f]+ m=\d+ sigcode=\d+ addr=`)

// outcome is what a run came to.
type outcome struct {
	counts
	// crashed are the packages to be run again: see detectorFault.
	crashed []string
}

// tally reads a go test -json stream to its end and writes to w the output of
// whatever failed. A line that is not an event is passed on as it is.
func tally(stream io.Reader, w io.Writer) (outcome, error) {
	r := reader{w: w, output: map[unit][]string{}, failures: map[string]int{}, crashed: map[string]bool{}}
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				r.take(e)
			} else {
				fmt.Fprintf(w, "%s", line)
			}
		}
		if errors.Is(err, io.EOF) {
			return r.outcome(), nil
		}
		if err != nil {
			return r.outcome(), fmt.Errorf("reading the events of go test: %w", err)
		}
	}
}

func (r *reader) outcome() outcome {
	return outcome{r.counts, slices.Sorted(maps.Keys(r.crashed))}
}

func (r *reader) take(e event) {
	u := unit{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.w, e.Output)
	case "output":
		if detectorFault.MatchString(e.Output) {
			r.crashed[e.Package] = true
		}
		r.output[u] = append(r.output[u], e.Output)
	case "pass", "skip":
		delete(r.output, u)
		if e.Test == "" {
			return
		}
		if e.Action == "pass" {
			r.counts.passed++
		} else {
			r.counts.skipped++
		}
	case "fail":
		if e.Test == "" {
			r.packageFailed(e.Package)
			return
		}
		r.counts.failed++
		r.failures[e.Package]++
		r.show(u)
	}
}

// packageFailed shows what the package said outside its tests, and what the
// tests said that never came to an end (after a panic, an exit, a timeout).
func (r *reader) packageFailed(pkg string) {
	if r.failures[pkg] == 0 {
		r.counts.failed++
	}
	for u := range r.output {
		if u.pkg == pkg && u.test != "" {
			r.show(u)
		}
	}
	r.show(unit{pkg: pkg})
}

func (r *reader) show(u unit) {
	for _, text := range r.output[u] {
		fmt.Fprint(r.w, text)
	}
	delete(r.output, u)
}
