package vendortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"reauth/internal/vendors"
)

const selfieSize = 48 << 10

// stage is a vendor on loopback and an adapter that talks to it.
type stage struct {
	suite   Suite
	server  *httptest.Server
	client  *http.Client
	adapter vendors.Adapter

	// all: every request gets the answer, not only the paid one.
	all bool
	// early: the answer is given without reading the request.
	early   bool
	answer  http.HandlerFunc
	paid    atomic.Int64  // paid calls that arrived
	opened  atomic.Int64  // connections
	arrived chan struct{} // one token per paid call, as far as it has room
	release chan struct{} // closed when the check ends; ends what hangs
	end     func()
}

// stage opens a vendor that gives answer to the paid call. Options change the
// stage before a request can arrive.
func (b *bench) stage(answer http.HandlerFunc, options ...func(*stage)) *stage {
	s := b.unstarted(answer)
	for _, option := range options {
		option(s)
	}
	s.server.Start()
	b.connect(s, s.server.URL)
	return s
}

func toAll(s *stage)   { s.all = true }
func early(s *stage)   { s.early = true }
func hanging(s *stage) { s.answer = s.hang }

func withFree(free http.HandlerFunc) func(*stage) {
	return func(s *stage) { s.suite.Free = free }
}

// unstarted returns a stage without a running server or an adapter.
func (b *bench) unstarted(answer http.HandlerFunc) *stage {
	s := &stage{
		suite:   b.suite,
		client:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
		answer:  answer,
		arrived: make(chan struct{}, 64),
		release: make(chan struct{}),
	}
	s.server = httptest.NewUnstartedServer(s)
	s.server.Config.ErrorLog = discard
	s.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.opened.Add(1)
		}
	}
	s.end = sync.OnceFunc(func() {
		close(s.release)
		s.client.CloseIdleConnections()
		s.server.CloseClientConnections()
		s.server.Close()
	})
	b.cleanup(s.end)
	return s
}

// connect makes the stage's adapter.
func (b *bench) connect(s *stage, baseURL string) {
	adapter, err := b.suite.New(Target{BaseURL: baseURL, Client: s.client, Secret: secret})
	if err != nil {
		panic(fmt.Sprintf("making the adapter: %v", err))
	}
	s.adapter = adapter
}

// ServeHTTP plays the vendor.
func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	paid := s.suite.paid(r)
	if !s.early {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the call was cut off: nothing to answer
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	if paid {
		s.paid.Add(1)
		select {
		case s.arrived <- struct{}{}:
		default:
		}
	}
	if paid || s.all {
		s.answer(w, r)
		return
	}
	s.suite.Free(w, r)
}

// attempt is what came of one Authenticate.
type attempt struct {
	verdict vendors.Verdict
	err     error
	selfie  *Selfie // nil for vendors that take none
}

// fault returns the error as it must be; nil with a finding if it is not so.
func (a attempt) fault(b *bench, what string) *vendors.Error {
	return faultOf(b, what, a.err)
}

func faultOf(b *bench, what string, err error) *vendors.Error {
	if err == nil {
		b.find("%s: no error", what)
		return nil
	}
	var e *vendors.Error
	if !errors.As(err, &e) {
		b.find("%s: error is a %T, want a *vendors.Error", what, err)
		return nil
	}
	if e.Vendor == "" || e.Op == "" || e.Kind < vendors.Transient || e.Kind > vendors.Unexplained {
		b.find("%s: error lacks vendor, operation or kind: %v", what, e)
	}
	return e
}

// authenticate makes one call and waits for it. A call that doesn't come back
// in time is a finding; it is then ended by closing the vendor.
func (b *bench) authenticate(ctx context.Context, s *stage) attempt {
	return b.authenticateWith(ctx, s, selfieSize)
}

func (b *bench) authenticateWith(ctx context.Context, s *stage, size int) attempt {
	call, selfie := s.call(size)
	var a attempt
	b.wait(s, "Authenticate", func() {
		v, err := s.adapter.Authenticate(ctx, call)
		a = attempt{verdict: v, err: err}
	})
	a.selfie = selfie
	return a
}

// wait runs f in a goroutine of its own and returns when it has ended.
func (b *bench) wait(s *stage, what string, f func()) {
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		f()
	}()
	var panicked any
	select {
	case panicked = <-done:
	case <-time.After(b.patience):
		b.find("%s did not return within %v", what, b.patience)
		s.end()
		panicked = <-done
	}
	if panicked != nil {
		b.find("%s panicked: %v", what, panicked)
	}
}

// call is the suite's call with everything in it that must not get out.
func (s *stage) call(size int) (vendors.Call, *Selfie) {
	c := s.suite.Call
	c.RequestID = "vendortest-1"
	c.UserID, c.CF1, c.CF2, c.CF3 = userID, cf1, cf2, cf3
	if !s.adapter.Capabilities().NeedsSelfie {
		return c, nil
	}
	selfie := NewSelfie(size)
	c.Selfie = selfie
	return c, selfie
}

// judgeSelfie waits until the selfie is closed, ends the stage so that nobody
// can touch the selfie any more, and reports what was done to it.
func (b *bench) judgeSelfie(s *stage, what string, selfie *Selfie) {
	if selfie == nil {
		return
	}
	select {
	case <-selfie.Closed():
	case <-time.After(b.patience):
	}
	s.end()
	for _, fault := range selfie.Faults() {
		b.find("%s: %s", what, fault)
	}
}
