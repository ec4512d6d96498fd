package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyFailuresAreShown(t *testing.T) {
	cases := map[string]struct {
		events  []string
		shown   string
		closing string
	}{
		"passed and skipped tests are silent": {
			events: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"skip","Package":"p","Test":"TestB"}`,
				`{"Action":"output","Package":"p","Output":"ok p 0.1s\n"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			closing: "1 passed, 0 failed, 1 skipped",
		},
		"a failed test shows its own output": {
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"quiet\n"}`,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"loud\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"fail","Package":"p","Test":"TestB"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			shown:   "loud\nFAIL\tp\n",
			closing: "1 passed, 1 failed",
		},
		"a package that does not build is one failure": {
			events: []string{
				`{"ImportPath":"p","Action":"build-output","Output":"p.go:1:1: undefined: x\n"}`,
				`{"ImportPath":"p","Action":"build-fail"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}`,
				`{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			},
			shown:   "p.go:1:1: undefined: x\nFAIL\tp [build failed]\n",
			closing: "0 passed, 1 failed",
		},
		"a test that never ended is shown when its package fails": {
			events: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"last words\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			shown:   "last words\n",
			closing: "0 passed, 1 failed",
		},
		"a line that is no event is passed on": {
			events:  []string{`go: something`},
			shown:   "go: something\n",
			closing: "0 passed, 0 failed",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var shown strings.Builder
			got, err := tally(strings.NewReader(strings.Join(c.events, "\n")+"\n"), &shown)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.shown, shown.String()); diff != "" {
				t.Errorf("shown (-want +got):\n%s", diff)
			}
			if got.String() != c.closing {
				t.Errorf("closing line %q, want %q", got, c.closing)
			}
		})
	}
}

func TestPackagesInWhichTheRaceDetectorBrokeDownAreNamed(t *testing.T) {
	events := []string{
		`{"Action":"pass","Package":"p/a","Test":"TestA"}`,
		`{"Action":"output","Package":"p/b","Test":"TestB","Output":"=== RUN   TestB\n"}`,
		`{"Action":"output","Package":"p/b","Test":"TestB","Output":"ThreadSanitizer: CHECK failed: tsan_rtl.cpp:346\n"}`,
		`{"Action":"output","Package":"p/b","Output":"FAIL\tp/b\n"}`,
		`{"Action":"fail","Package":"p/b"}`,
		`{"Action":"fail","Package":"p/c","Test":"TestC"}`,
		`{"Action":"fail","Package":"p/c"}`,
		`{"Action":"output","Package":"p/d","Test":"TestD","Output":"SIGSEGV: segmentation violation\n"}`,
		`{"Action":"output","Package":"p/d","Test":"TestD","Output":"PC=0x41ca09 m=3 sigcode=1 addr=0x0\n"}`,
		`{"Action":"fail","Package":"p/d"}`,
		`{"Action":"output","Package":"p/e","Test":"TestE","Output":"panic: runtime error: invalid memory address or nil pointer dereference\n"}`,
		`{"Action":"output","Package":"p/e","Test":"TestE","Output":"[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x5e32a6]\n"}`,
		`{"Action":"fail","Package":"p/e"}`,
		`{"Action":"output","Package":"p/f","Test":"TestF","Output":"SIGQUIT: quit\n"}`,
		`{"Action":"output","Package":"p/f","Test":"TestF","Output":"PC=0x48a2c1 m=0 sigcode=0\n"}`,
		`{"Action":"fail","Package":"p/f"}`,
	}
	var shown strings.Builder
	got, err := tally(strings.NewReader(strings.Join(events, "\n")), &shown)
	if err != nil {
		t.Fatal(err)
	}
	// TestC keeps the run from being repeated: it failed. So do a panic and a test
	// that was ended.
	want := outcome{counts{passed: 1, failed: 5}, []string{"p/b", "p/d"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{}, counts{})); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	if !strings.Contains(shown.String(), "tsan_rtl.cpp:346") {
		t.Error("the breakdown is not shown")
	}
}

func TestARepeatIsOfThePackagesAlone(t *testing.T) {
	got := only([]string{"-race", "-run", "^(A|B)$", "reauth/a", "reauth/b", "./c"}, []string{"reauth/b"})
	if diff := cmp.Diff([]string{"-race", "-run", "^(A|B)$", "reauth/b"}, got); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}
