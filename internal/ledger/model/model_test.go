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

// variant is a model, without its ending, and macros for it.
type variant struct{ model, macros string }

// bounds are within which every model keeps its promises.
var bounds = map[string]variant{
	"crash and duplicate":                 {"protocol", "-DLIST -DFAULTS=1 -DGAPS=0 -DCRASHES=1 -DRECORDS=2"},
	"lease lapses and comes back":         {"protocol", "-DLIST -DFAULTS=0 -DGAPS=1 -DCRASHES=1 -DRECORDS=2"},
	"vendor cannot be asked":              {"protocol", "-DFAULTS=1 -DGAPS=0 -DCRASHES=1 -DRECORDS=1"},
	"three owners":                        {"protocol", "-DLIST -DFAULTS=0 -DGAPS=0 -DCRASHES=0 -DRECORDS=1 -DOWNERS=3"},
	"three owners, a claim late":          {"protocol", late + " -DGUIDE_LATE_CLAIM"},
	"three owners, a claim on its way":    {"protocol", late + " -DGUIDE_OVERTAKEN"},
	"reading on lags":                     {"protocol", lagging},
	"reading on stalls":                   {"protocol", "-DSTALLS " + lagging},
	"a result is repeated":                {"protocol", "-DREPEATS " + dies},
	"a result is repeated without a look": {"protocol", "-DREPEATS -DNO_LOOK_BEFORE_REPEAT " + dies},
	"a session and its link":              {"hosted", "-DFAULTS=1 -DCLAIMS=6"},
	"a session that nobody polls":         {"hosted", "-DFAULTS=1 -DCLAIMS=6 -DNEWS_ONLY"},
	"a verdict changes":                   {"revision", "-DCHANGES=3"},
	"an order holds a request back":       {"held", ""},
	"one request is paid for, calls lost": {"spend", one},
	"two requests are paid for":           {"spend", "-DREQS=2 -DCALLS=1 -DSUMS=1 -DFAULTS=0 -DLASTTIME=4"},
	"a shard is handed over":              {"handover", "-DLEAVERS=1 -DFAULTS=2"},
	"two of three leave":                  {"handover", "-DLEAVERS=2"},
	"the only other one takes the shard":  {"handover", "-DMEMBERS=2"},
}

func TestProtocolKeepsItsPromises(t *testing.T) {
	for name, v := range bounds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if report := check(t, v); !strings.Contains(report, "errors: 0") || cut(report) {
				t.Fatalf("%s %s: not shown to hold:\n%s", v.model, v.macros, report)
			}
		})
	}
}

const (
	small   = "-DLIST -DFAULTS=1 -DGAPS=0 -DCRASHES=1 -DRECORDS=1"
	lapsed  = "-DLIST -DFAULTS=1 -DGAPS=1 -DCRASHES=0 -DRECORDS=1"
	three   = "-DLIST -DFAULTS=0 -DGAPS=0 -DCRASHES=1 -DRECORDS=1 -DOWNERS=3"
	late    = "-DLIST -DFAULTS=1 -DGAPS=0 -DCRASHES=0 -DRECORDS=1 -DOWNERS=3"
	lagging = "-DFAULTS=0 -DGAPS=0 -DCRASHES=1 -DRECORDS=1 -DLAG=1"
	dies    = "-DLIST -DFAULTS=0 -DGAPS=0 -DCRASHES=1 -DRECORDS=1"
	one     = "-DREQS=1 -DCALLS=2 -DSUMS=2"
)

// mutations each take a mechanism away, and what then goes wrong.
var mutations = []struct{ model, away, within, breaks string }{
	{"protocol", "-DNO_CLAIM", small, "charges<=1"},
	{"protocol", "-DNO_WAIT_FOR_UNTIL", small, "results<=1"},
	{"protocol", "-DNO_WAIT_AFTER_TAKEOVER", small, "results<=1"},
	{"protocol", "-DNO_LOOK_FOR_RESULT", small, "results<=1"},
	{"protocol", "-DNO_LOOK_AFTER_MOVE", small, "results<=1"},
	{"protocol", "-DNO_PUBLICATION_BEFORE_DONE", small, "answeredOrParked"},
	{"protocol", "-DNO_CLAIM_NUMBERS -DGUIDE_LATE_PARKING", late, "charges<=1"},
	{"protocol", "-DNO_READING_ON", small, "results<=1"},
	// Either is enough: a claim that was in the log when the shard was still
	// ours covers its call also if the shard then moves.
	{"protocol", "-DNO_FENCE -DNO_LOOK_AFTER_CLAIM", small, "charges<=1"},
	{"protocol", "-DNO_LOOK_AFTER_CLAIM", small, "results<=1"},
	{"protocol", "-DNO_ORIGINAL_OF_LATE_PARKING -DGUIDE_OVERTAKEN", late, "results==1"},
	// The original of a late parking makes up for a late claim, too.
	{"protocol", "-DNO_LOOK_BEFORE_CLAIM -DNO_ORIGINAL_OF_LATE_PARKING -DGUIDE_LATE_CLAIM", late, "results==1"},
	{"protocol", "-DNO_SOURCE_IN_ANSWERS", small, "answeredOrParked"},
	{"protocol", "-DNO_WAIT_FOR_LEASE", lapsed, "results==1"},
	{"protocol", "-DNO_ADOPTION", small, "results==1"},
	{"protocol", "-DNO_MEMORY_OF_UNKNOWN", small, "charges<=1"},
	{"protocol", "-DNO_WAIT_FOR_LATE_CALL", small, "charges<=1"},
	{"protocol", "-DNO_LATEST_UNTIL", three, "results<=1"},
	{"protocol", "-DNO_READING_BEFORE_SETTLING", lagging, "charges<=1"},
	{"protocol", "-DNO_READING_TO_THE_END -DSTALLS", lagging, "charges<=1"},
	{"protocol", "-DNO_SEQUENCE -DREPEATS", dies, "results<=1"},

	{"hosted", "-DNO_STATE", "", "sessions<=(1+lostSessions)"},
	{"hosted", "-DNO_UNSURE", "", "link[1]!=1"},
	{"hosted", "-DNO_WAIT_FOR_UNTIL", "", "results==1"},
	{"hosted", "-DNO_CLAIM_FOR_EACH_CALL", "", "results==1"},
	{"hosted", "-DNO_INVITATION_BEFORE_PARKING", "", "announced"},
	{"hosted", "-DNO_MEMORY_OF_NEWS", "-DNEWS_ONLY", "results==1"},

	{"revision", "-DNO_READING_BEFORE_REVIEW", "", "published[o[i].wRevision]==0"},
	{"revision", "-DNO_RESULT_BEFORE_STANDING", "", "published[v]==vendor"},
	{"revision", "-DNO_LOOK_FOR_LATEST", "", "published[v]==vendor"},
	{"revision", "-DNO_LOOK_FOR_LATEST -DNO_LOOK_FOR_RESULT", "", "published[o[i].wRevision]==0"},

	{"held", "-DNO_PARKING_OF_CLAIMED", "", "found.called"},
	{"held", "-DNO_NUMBER_OF_TRIED_CLAIMS", "", "found.called"},
	{"held", "-DNO_NUMBER_OF_TRIED_CLAIMS -DNO_ORIGINAL_OF_LATE_PARKING -DGUIDE_LOSS", "", "found.parked"},

	{"spend", "-DNO_RESERVATION_IN_CLAIMS", one, "sum>=most"},
	{"spend", "-DNO_ANSWERING", one, "total==sum"},
	{"spend", "-DNO_READING_BEFORE_SUMMARY", one, "total==sum"},
	{"spend", "-DNO_RECENT", one, "total==sum"},
	{"spend", "-DNO_SKEW", one, "total==sum"},
	{"spend", "-DNO_LOSS", one, "sum>=most"},
	{"spend", "-DNO_LOSS_WHEN_GIVEN_UP", one, "sum>=most"},

	{"handover", "-DNO_FENCE_AT_ANSWER", "", "<=1"},
	{"handover", "-DNO_FENCE_AT_FAILURE", "", "<=1"},
	{"handover", "-DNO_TIMELY_ANSWER", "", "<=1"},
	{"handover", "-DNO_BOUND", "", "<=1"},
	{"handover", "-DNO_GENERATION_COUNT", "", "holder==i"},
	{"handover", "-DNO_HANDOVER", "", "plan!=i"},
	{"handover", "-DNO_WORD_OF_LEAVING", "", "plan!=i"},
	{"handover", "-DNO_WORKING_ON", "", "m[i].lapsed"},
}

func TestEachMechanismIsNeeded(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.model+" "+strings.ReplaceAll(m.away, "-D", ""), func(t *testing.T) {
			t.Parallel()
			v := variant{m.model, m.away + " " + m.within}
			if report := check(t, v); !strings.Contains(report, "assertion violated") {
				t.Fatalf("%s %s: not refuted:\n%s", v.model, v.macros, report)
			} else if !strings.Contains(report, m.breaks) {
				t.Fatalf("%s %s: refuted, but not by %s:\n%s", v.model, v.macros, m.breaks, report)
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
func check(t *testing.T, v variant) string {
	t.Helper()
	running <- struct{}{}
	defer func() { <-running }()
	source, err := filepath.Abs(v.model + ".pml")
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
	run("spin", append(append([]string{"-a"}, strings.Fields(v.macros)...), source)...)
	run("cc", "-O1", "-w", "-DSAFETY", "-DVECTORSZ=2048", "-DMEMLIM=4000", "-o", "pan", "pan.c")
	return run("./pan", "-m100000", "-w22")
}
