package fault

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Outage is a way for a whole service to be down.
type Outage string

// The outages.
const (
	NoOutage Outage = ""
	// Refuse resets every connection unread.
	Refuse Outage = "refuse"
	// Blackhole takes every call and never answers.
	Blackhole Outage = "blackhole"
	// ServerError answers every call with a 500.
	ServerError Outage = "500"
)

// Validate refuses an outage that is none of those above.
func (o Outage) Validate() error {
	switch o {
	case NoOutage, Refuse, Blackhole, ServerError:
		return nil
	}
	return fmt.Errorf("no such outage: %q (want refuse, blackhole, 500 or nothing)", string(o))
}

// Serve answers a call during the outage, with serverError for the service's
// own 500. A blackhole ends when the caller leaves or closed is closed.
func (o Outage) Serve(w http.ResponseWriter, r *http.Request, closed <-chan struct{}, serverError func()) {
	switch o {
	case Refuse:
		Reset(w)
	case Blackhole:
		NeverAnswer(r, closed)
	case ServerError:
		serverError()
	}
}

// Reset ends the connection with a TCP reset where the server lets go of it,
// and otherwise without an answer: it then panics with http.ErrAbortHandler.
func Reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// NeverAnswer holds the call until the caller leaves or closed is closed, and
// then panics with http.ErrAbortHandler.
func NeverAnswer(r *http.Request, closed <-chan struct{}) {
	// net/http notices that the caller left only once the body is read.
	io.Copy(io.Discard, r.Body)
	select {
	case <-r.Context().Done():
	case <-closed:
	}
	panic(http.ErrAbortHandler)
}

// Wait lets d pass; when closed is closed first, it panics with
// http.ErrAbortHandler. The caller's leaving does not end it: a service goes on
// with what it has begun.
func Wait(d time.Duration, closed <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-closed:
		panic(http.ErrAbortHandler)
	}
}
