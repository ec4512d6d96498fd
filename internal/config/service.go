package config

import (
	"log/slog"
	"time"
)

// Ops is the listener for probes and metrics.
type Ops struct {
	Listen string
	PProf  bool
}

func (o *Ops) describe(g group) {
	one(g, &o.Listen, texts, "listen", ":8080",
		`Address of /livez, /readyz and /metrics. It has no log-in: keep it inside the cluster.`, listenAddress)
	one(g, &o.PProf, switches, "pprof", "false",
		`Serve Go's profiles under /debug/pprof/ too. Whoever can reach them can slow the service down, so switch them on to
		look into something, and off again.`)
}

// Shutdown is how the service stops.
type Shutdown struct {
	Grace time.Duration
}

func (s *Shutdown) describe(g group) {
	one(g, &s.Grace, durations, "grace", "30s",
		`How long calls that are at a vendor may take to end after a stop was asked for. At least the vendors' timeout, or
		some calls end as unknown outcomes. In Kubernetes, terminationGracePeriodSeconds must be longer by 25 seconds or
		more: before the grace time, 15 seconds at most to hand the shards over to the other replicas, after it ten to
		write the last results.`, between(0, time.Hour))
}

// Log is what is logged.
type Log struct {
	Level slog.Level
	// Format is FormatJSON or FormatText.
	Format string
}

// The forms of a log line.
const (
	FormatJSON = "json"
	FormatText = "text"
)

func (l *Log) describe(g group) {
	one(g, &l.Level, levels, "level", "info", `Least severity that is logged: debug, info, warn or error.`)
	one(g, &l.Format, texts, "format", FormatJSON, `Form of a line: json for machines, text for people.`,
		oneOf(FormatJSON, FormatText))
}
