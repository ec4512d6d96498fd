package sandbox

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
)

// server is an HTTP server that can be waited for.
type server struct {
	http     http.Server
	listener net.Listener
	// served is closed when the accept loop has ended.
	served chan struct{}

	// mu guards closed. Once it is set, no further call enters calls.
	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
}

// serve listens on address and serves handler until close.
func serve(address string, handler http.Handler, logger *log.Logger) (*server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	s := &server{listener: listener, served: make(chan struct{})}
	s.http.ErrorLog = logger
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			panic(http.ErrAbortHandler)
		}
		defer s.calls.Done()
		handler.ServeHTTP(w, r)
	})
	go func() {
		defer close(s.served)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Printf("serving %s: %v", address, err)
		}
	}()
	return s, nil
}

func (s *server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.calls.Add(1)
	return true
}

// url is the base URL, with the port that was taken.
func (s *server) url() string { return "http://" + s.listener.Addr().String() }

// close breaks every connection and waits until every call has ended. Calls
// that wait for something of their own must have been let go before.
func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	// The listener was the only thing that could fail to close, and its
	// accept loop ends all the same.
	_ = s.http.Close()
	<-s.served
	s.calls.Wait()
}
