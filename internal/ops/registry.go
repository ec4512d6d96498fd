package ops

import (
	"cmp"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry returns a registry with the metrics of the Go runtime, of the
// process (on Linux) and of the build, and no others: nothing gets in through
// Prometheus's default registry. version is the one that the linker was given;
// empty: what the toolchain wrote into the binary.
func NewRegistry(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	b := ReadBuild()
	b.Version = cmp.Or(version, b.Version)
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "reauth_build_info",
		Help:        "Always 1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "go_version": b.GoVersion},
	})
	info.Set(1)
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		info,
	)
	return r
}

// Build says which build is running. Fields that are not known are "unknown".
type Build struct {
	// Version is the module's version, or "(devel)".
	Version string
	// Revision is the commit, followed by "-dirty" when there were changes
	// on top of it.
	Revision string
	// GoVersion is the version of the Go toolchain.
	GoVersion string
}

// ReadBuild returns what the toolchain wrote into the binary.
func ReadBuild() Build {
	info, _ := debug.ReadBuildInfo()
	return buildOf(info)
}

func buildOf(info *debug.BuildInfo) Build {
	const unknown = "unknown"
	if info == nil {
		return Build{unknown, unknown, unknown}
	}
	settings := make(map[string]string, len(info.Settings))
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	b := Build{
		Version:   cmp.Or(info.Main.Version, unknown),
		Revision:  cmp.Or(settings["vcs.revision"], unknown),
		GoVersion: cmp.Or(info.GoVersion, unknown),
	}
	if settings["vcs.modified"] == "true" {
		b.Revision += "-dirty"
	}
	return b
}
