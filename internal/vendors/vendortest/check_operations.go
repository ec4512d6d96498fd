package vendortest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"reauth/internal/vendors"
)

// operation is what an adapter can do beside Authenticate.
type operation struct {
	name string
	run  func(context.Context, *stage) error
}

// operations returns those that the adapter of s has.
func (s *stage) operations() []operation {
	all := []operation{{"Check", func(ctx context.Context, s *stage) error { return s.adapter.Check(ctx) }}}
	if _, ok := s.adapter.(vendors.Finder); ok {
		all = append(all, operation{"Find", func(ctx context.Context, s *stage) error {
			call, _ := s.call(0)
			call.Selfie = nil
			_, err := s.adapter.(vendors.Finder).Find(ctx, []vendors.Call{call}, time.Now().Add(-time.Hour), NoLimit)
			return err
		}})
	}
	if _, ok := s.adapter.(vendors.Eraser); ok {
		all = append(all, operation{"Erase", func(ctx context.Context, s *stage) error {
			return s.adapter.(vendors.Eraser).Erase(ctx, s.suite.reference())
		}})
	}
	if _, ok := s.adapter.(vendors.Reviewer); ok {
		all = append(all, operation{"Review", func(ctx context.Context, s *stage) error {
			_, err := s.adapter.(vendors.Reviewer).Review(ctx, s.suite.reference())
			return err
		}})
	}
	return all
}

// checkOperations: what is true of Authenticate's failures is true of theirs.
func checkOperations(b *bench) {
	var followed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	b.cleanup(elsewhere.Close)
	redirect := reply(http.StatusTemporaryRedirect, "text/html", html, http.Header{"Location": {elsewhere.URL}})

	for _, op := range b.stage(b.suite.healthy()).operations() {
		b.operate(op, Reply(http.StatusUnauthorized, "{}"), vendors.LaneFault)
		b.operate(op, Reply(http.StatusForbidden, "{}"), vendors.LaneFault)
		b.operate(op, Reply(http.StatusTooManyRequests, "{}"), vendors.Throttled)
		b.operate(op, reply(http.StatusBadGateway, "text/html", html, nil), vendors.Transient)
		b.operate(op, redirect, vendors.LaneFault)
		b.operate(op, reset, vendors.Transient)
		for _, answer := range b.echoes() {
			s := b.stage(answer, toAll)
			b.wait(s, op.name, func() { b.judgeText(op.name, op.run(context.Background(), s)) })
			s.end()
		}
		b.operateCancelled(op)
	}
	if n := followed.Load(); n > 0 {
		b.find("%d redirects were followed", n)
	}
}

// operate runs op against a vendor that gives answer to every request.
func (b *bench) operate(op operation, answer http.HandlerFunc, want vendors.Kind) {
	s := b.stage(answer, toAll)
	defer s.end()
	var err error
	b.wait(s, op.name, func() { err = op.run(context.Background(), s) })
	if e := faultOf(b, op.name, err); e != nil && e.Kind != want {
		b.find("%s: HTTP %d is %s, want %s", op.name, e.Status, e.Kind, want)
	}
}

func (b *bench) operateCancelled(op operation) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	s := b.stage(nil, toAll, func(s *stage) {
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			cancel(errStopped)
			s.hang(w, r)
		}
	})
	defer s.end()
	var err error
	b.wait(s, op.name, func() { err = op.run(ctx, s) })
	if faultOf(b, op.name, err) != nil && !errors.Is(err, errStopped) {
		b.find("%s: cancelled, but the cause is not in the error: %v", op.name, err)
	}
}

// NoLimit is a vendors.Turn that lets every request through at once.
func NoLimit(ctx context.Context, do func(context.Context) error) error { return do(ctx) }
