package ops

import (
	"log/slog"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes bounds the scrapes under way, each of which holds the whole
// exposition in memory. Two Prometheis and a person fit.
const maxScrapes = 4

// Config says what a Server serves.
type Config struct {
	// Listen is host:port; no host means every interface, port 0 one that
	// the system chooses.
	Listen string
	// Registry is what /metrics shows; see NewRegistry. Required.
	Registry *prometheus.Registry
	// Ready returns the conditions of being ready, in the order in which
	// they are to be shown. It is called for each probe, by many goroutines
	// at once, and must not block. nil: always ready.
	Ready func() []Condition
	// Live returns why only a restart can help, nil when none is needed. It
	// is called like Ready. nil: always alive.
	Live func() error
	// PProf serves Go's profiles under /debug/pprof/.
	PProf bool
	// Logger takes failing liveness and the listener's own errors. Required.
	Logger *slog.Logger
}

// Server serves /livez, /readyz and /metrics.
type Server struct {
	*Listener
	config Config
}

// New takes the address; see Listen.
func New(c Config) (*Server, error) {
	s := &Server{config: c}
	var err error
	s.Listener, err = Listen(c.Listen, "probes and metrics", s.routes(promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            c.Registry,
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: maxScrapes,
	}), c.Logger)
	return s, err
}

func (s *Server) routes(metrics promhttp.HandlerOpts) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.livez)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.config.Registry, metrics))
	if s.config.PProf {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}
