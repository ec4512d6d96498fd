package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// headerTimeout ends connections that send their request slowly, so that
	// they cannot use up the listener.
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	// stopTimeout bounds how long a stop waits for answers under way.
	stopTimeout = 5 * time.Second

	maxHeaderBytes = 16 << 10
	// maxScrapes bounds the scrapes under way, each of which holds the whole
	// exposition in memory. Two Prometheis and a person fit.
	maxScrapes = 4
)

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
	config   Config
	listener net.Listener
	http     *http.Server
}

// New takes the address, so that an address in use is known at once, and
// nothing is served before Run. Whoever does not come to call Run calls Close.
func New(c Config) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for probes and metrics: %w", err)
	}
	s := &Server{config: c, listener: listener}
	errorLog := slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn)
	s.http = &http.Server{
		Handler: s.routes(promhttp.HandlerOpts{
			ErrorLog:            errorLog,
			ErrorHandling:       promhttp.ContinueOnError,
			Registry:            c.Registry,
			EnableOpenMetrics:   true,
			MaxRequestsInFlight: maxScrapes,
		}),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          errorLog,
	}
	return s, nil
}

// Addr returns the address listened on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx ends, then lets answers under way finish, for at most 5
// seconds. It is called once. Its error is nil unless serving broke off before
// ctx ended.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()

	select {
	case err := <-served:
		return s.broken(err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := s.http.Shutdown(bounded); err != nil {
		s.config.Logger.Warn("answers cut off at the stop", "error", err)
		_ = s.http.Close() // its error is that of connections being cut
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return s.broken(err)
	}
	return nil
}

func (s *Server) broken(err error) error {
	return fmt.Errorf("serving probes and metrics on %s: %w", s.Addr(), err)
}

// Close gives the address back without having served. It must not be called
// once Run was.
func (s *Server) Close() error {
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("closing the listener of probes and metrics: %w", err)
	}
	return nil
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
