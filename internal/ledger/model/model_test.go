//go:build model

// Package model checks the ledger's protocol exhaustively with spin. README.md
// says what is modelled.
package model

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bounds are macros of protocol.pml. Every variant of the protocol keeps the
// promises within them.
var bounds = map[string]string{
	"crash and duplicate":         "-DLIST -DFAULTS=1 -DGAPS=0 -DCRASHES=1 -DRECORDS=2",
	"lease lapses and comes back": "-DLIST -DFAULTS=0 -DGAPS=1 -DCRASHES=1 -DRECORDS=2",
	"vendor cannot be asked":      "-DFAULTS=1 -DGAPS=0 -DCRASHES=1 -DRECORDS=1",
	"three owners":                "-DLIST -DFAULTS=0 -DGAPS=0 -DCRASHES=0 -DRECORDS=1 -DOWNERS=3",
	"reading on lags":             "-DFAULTS=0 -DGAPS=0 -DCRASHES=1 -DRECORDS=1 -DLAG=1",
}

func TestProtocolKeepsItsPromises(t *testing.T) {
	for name, macros := range bounds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if report := check(t, macros); !strings.Contains(report, "errors: 0") || cut(report) {
				t.Fatalf("%s: not shown to hold:\n%s", macros, report)
			}
		})
	}
}

const (
	small  = " -DLIST -DFAULTS=1 -DGAPS=0 -DCRASHES=1 -DRECORDS=1"
	lapsed = " -DLIST -DFAULTS=1 -DGAPS=1 -DCRASHES=0 -DRECORDS=1"
	three  = " -DLIST -DFAULTS=0 -DGAPS=0 -DCRASHES=1 -DRECORDS=1 -DOWNERS=3"
	late   = " -DLIST -DFAULTS=1 -DGAPS=0 -DCRASHES=0 -DRECORDS=1 -DOWNERS=3"
)

// mutations each take a mechanism away, and what then goes wrong.
var mutations = []struct{ macros, breaks string }{
	{"-DNO_CLAIM" + small, "charges<=1"},
	{"-DNO_WAIT_FOR_UNTIL" + small, "results<=1"},
	{"-DNO_WAIT_AFTER_TAKEOVER" + small, "results<=1"},
	{"-DNO_LOOK_FOR_RESULT" + small, "results<=1"},
	{"-DNO_LOOK_AFTER_MOVE" + small, "results<=1"},
	{"-DNO_PUBLICATION_BEFORE_DONE" + small, "answeredOrParked"},
	{"-DNO_CLAIM_NUMBERS -DGUIDE_LATE_PARKING" + late, "charges<=1"},
	{"-DNO_READING_ON" + small, "results<=1"},
	// Either is enough: a claim that was in the log when the shard was still
	// ours covers its call also if the shard then moves.
	{"-DNO_FENCE -DNO_LOOK_AFTER_CLAIM" + small, "charges<=1"},
	{"-DNO_LOOK_AFTER_CLAIM" + small, "results<=1"},
	{"-DNO_LOOK_BEFORE_CLAIM -DGUIDE_LATE_CLAIM" + late, "results==1"},
	{"-DNO_SOURCE_IN_ANSWERS" + small, "answeredOrParked"},
	{"-DNO_WAIT_FOR_LEASE" + lapsed, "results==1"},
	{"-DNO_ADOPTION" + small, "results==1"},
	{"-DNO_MEMORY_OF_UNKNOWN" + small, "charges<=1"},
	{"-DNO_WAIT_FOR_LATE_CALL" + small, "charges<=1"},
	{"-DNO_LATEST_UNTIL" + three, "results<=1"},
	{"-DNO_READING_BEFORE_SETTLING -DFAULTS=0 -DGAPS=0 -DCRASHES=1 -DRECORDS=1 -DLAG=1", "charges<=1"},
}

func TestEachMechanismIsNeeded(t *testing.T) {
	for _, m := range mutations {
		name, _, _ := strings.Cut(strings.TrimPrefix(m.macros, "-D"), " -DLIST")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if report := check(t, m.macros); !strings.Contains(report, "assertion violated") {
				t.Fatalf("%s: not refuted:\n%s", m.macros, report)
			} else if !strings.Contains(report, m.breaks) {
				t.Fatalf("%s: refuted, but not by %s:\n%s", m.macros, m.breaks, report)
			}
		})
	}
}

// cut tells whether the search was not exhaustive.
func cut(report string) bool {
	return strings.Contains(report, "Search not completed") || strings.Contains(report, "max search depth too small")
}

// running bounds the checks at once: each takes a core and up to 3 GB.
var running = make(chan struct{}, 2)

// check generates, compiles and runs a verifier, and returns its report.
func check(t *testing.T, macros string) string {
	t.Helper()
	running <- struct{}{}
	defer func() { <-running }()
	source, err := filepath.Abs("protocol.pml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("running %s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("spin", append(append([]string{"-a"}, strings.Fields(macros)...), source)...)
	run("cc", "-O2", "-w", "-DSAFETY", "-DVECTORSZ=2048", "-DMEMLIM=4000", "-o", "pan", "pan.c")
	return run("./pan", "-m100000", "-w22")
}
