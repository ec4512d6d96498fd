package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
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
)

// Listener serves HTTP on an address, with bounds on what a client may take.
type Listener struct {
	what     string
	listener net.Listener
	http     *http.Server
	log      *slog.Logger
}

// Listen takes an address, so that one in use is known at once, and nothing is
// served before Run: host:port; no host means every interface, port 0 one that
// the system chooses. what names in errors what is served. Whoever does not come
// to call Run calls Close.
func Listen(address, what string, handler http.Handler, log *slog.Logger) (*Listener, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", what, err)
	}
	return &Listener{
		what: what, listener: listener, log: log,
		http: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		},
	}, nil
}

// Addr returns the address listened on.
func (l *Listener) Addr() string { return l.listener.Addr().String() }

// Run serves until ctx ends, then lets answers under way finish, for at most 5
// seconds. It is called once. Its error is nil unless serving broke off before
// ctx ended.
func (l *Listener) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- l.http.Serve(l.listener) }()

	select {
	case err := <-served:
		return l.broken(err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := l.http.Shutdown(bounded); err != nil {
		l.log.Warn("answers cut off at the stop", "listener", l.what, "error", err)
		_ = l.http.Close() // its error is that of connections being cut
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return l.broken(err)
	}
	return nil
}

func (l *Listener) broken(err error) error {
	return fmt.Errorf("serving %s on %s: %w", l.what, l.Addr(), err)
}

// Close gives the address back without having served. It must not be called
// once Run was.
func (l *Listener) Close() error {
	if err := l.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("closing the listener of %s: %w", l.what, err)
	}
	return nil
}
