package vendors

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// ErrAnswerTooLong is Answer.Err when the answer is longer than allowed.
var ErrAnswerTooLong = errors.New("answer is too long")

// Answer is what came back on one HTTP request.
type Answer struct {
	// Status is 0 when there was no answer.
	Status int
	Header http.Header
	Body   []byte
	// Err says why Body is not the whole body, nil when it is. Scrubbed.
	Err error
	// Reached: the vendor may have received the request, or enough of it to
	// act upon. True whenever there is a Status.
	Reached bool
}

// Exchange sends r once and reads the answer, at most limit bytes of its body.
// It sends nothing when r's context is done. The error, scrubbed, says that
// there is no answer; Answer.Reached stands also then. A *Body is closed when
// Exchange returns, and net/http repeats no request that carries a body.
//
// It asks c's transport, past what a client does for redirects and cookies: neither
// is followed or kept, and it would take ten allocations.
func Exchange(c *http.Client, r *http.Request, limit int64) (Answer, error) {
	ctx := r.Context()
	body, carries := r.Body.(*Body)
	if carries {
		defer func() { _ = body.Close() }()
	}
	if err := ctx.Err(); err != nil {
		return Answer{}, Scrub(ctx, err)
	}

	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	if permit, _ := ctx.Value(leaving{}).(*Permit); permit != nil {
		trace.GotConn = func(httptrace.GotConnInfo) {
			connected.Store(true)
			if permit.hold(ctx) != nil && carries {
				_ = body.Close() // so that none of it leaves
			}
		}
		trace.WroteHeaders = permit.left
	}
	r = r.WithContext(httptrace.WithClientTrace(ctx, trace))
	r.GetBody = nil

	resp, err := transportOf(c).RoundTrip(r)
	if err != nil {
		a := Answer{Reached: connected.Load()}
		if carries {
			// Closing first makes Touched final.
			_ = body.Close()
			a.Reached = body.Touched()
		}
		return a, Scrub(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()

	a := Answer{Status: resp.StatusCode, Header: resp.Header, Reached: true}
	// One byte more than allowed tells too long from just as long. Reading to
	// the end also lets the connection be used again.
	a.Body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		a.Err = Scrub(ctx, err)
	case int64(len(a.Body)) > limit:
		a.Body, a.Err = a.Body[:limit], ErrAnswerTooLong
	}
	return a, nil
}

func transportOf(c *http.Client) http.RoundTripper {
	if c.Transport == nil {
		return http.DefaultTransport
	}
	return c.Transport
}
