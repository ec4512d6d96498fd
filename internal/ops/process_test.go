package ops

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/google/go-cmp/cmp"
)

func TestMemoryLimitIsAShareOfTheContainers(t *testing.T) {
	for _, name := range []string{"GOMEMLIMIT", "AUTOMEMLIMIT"} {
		if value, ok := os.LookupEnv(name); ok {
			t.Setenv(name, value) // restored when the test ends
			os.Unsetenv(name)
		}
	}
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })

	for _, tc := range []struct {
		name      string
		outside   uint64
		available memlimit.Provider
		want      int64
		logged    string
	}{
		{"limited", 0, memlimit.Limit(1000 << 20), 900 << 20, `level=INFO msg="memory limit" bytes=943718400`},
		{"less what lies outside the heap", 500 << 20, memlimit.Limit(1500 << 20), 900 << 20, `level=INFO msg="memory limit" bytes=943718400`},
		{"hardly more than what lies outside", 500 << 20, memlimit.Limit(900 << 20), math.MaxInt64 - 1, "raise its limit"},
		{"no limit", 0, func() (uint64, error) { return 0, memlimit.ErrNoLimit }, math.MaxInt64 - 1, `level=INFO msg="memory is not limited"`},
		{"no cgroup", 0, func() (uint64, error) { return 0, memlimit.ErrNoCgroup }, math.MaxInt64 - 1, `level=INFO msg="memory is not limited"`},
		{"unreadable", 0, func() (uint64, error) { return 0, errors.New("denied") }, math.MaxInt64 - 1, `level=WARN msg="memory limit not set"`},
	} {
		debug.SetMemoryLimit(math.MaxInt64 - 1) // told from the highest, which the library sets
		var out bytes.Buffer
		setMemoryLimit(slog.New(slog.NewTextHandler(&out, nil)), tc.outside, tc.available)
		if got := debug.SetMemoryLimit(-1); got != tc.want || !strings.Contains(out.String(), tc.logged) {
			t.Errorf("%s: limit %d, want %d; logged %s", tc.name, got, tc.want, out.String())
		}
	}
}

func TestBuildSaysWhatIsKnown(t *testing.T) {
	for _, tc := range []struct {
		name string
		info *debug.BuildInfo
		want Build
	}{
		{"nothing", nil, Build{"unknown", "unknown", "unknown"}},
		{"no settings", &debug.BuildInfo{}, Build{"unknown", "unknown", "unknown"}},
		{"release", &debug.BuildInfo{
			GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}},
		}, Build{"v1.2.3", "abc", "go1.26.8"}},
		{"dirty", &debug.BuildInfo{
			GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"},
			Settings: []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "abc"}},
		}, Build{"(devel)", "abc-dirty", "go1.26.8"}},
	} {
		if diff := cmp.Diff(tc.want, buildOf(tc.info)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	if ReadBuild().GoVersion == "unknown" {
		t.Error("this very build has no Go version")
	}
}
