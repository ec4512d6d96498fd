package vendortest

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
)

// checkReuse makes calls one after the other, failing ones among them: an
// answer that is not read to its end, or not closed, costs its connection.
func checkReuse(b *bench) {
	const calls = 12
	healthy := b.suite.healthy()
	answers := []http.HandlerFunc{
		healthy,
		Reply(http.StatusBadRequest, `{"message":"no"}`),
		Reply(http.StatusTooManyRequests, ""),
		reply(http.StatusBadGateway, "text/html", html, nil),
	}
	var turn atomic.Int64
	s := b.stage(func(w http.ResponseWriter, r *http.Request) {
		answers[int(turn.Add(1)-1)%len(answers)](w, r)
	})
	for range calls {
		b.authenticate(context.Background(), s)
	}
	// One more than one: a connection that is still being given back when
	// the next call begins is a race that costs nothing.
	if n := s.opened.Load(); n > 2 {
		b.find("%d calls, one after the other, took %d connections", calls, n)
	}
}

// checkConcurrency finds little by itself: it gives the race detector work.
func checkConcurrency(b *bench) {
	const calls = 16
	s := b.stage(b.suite.healthy())
	attempts := make([]attempt, calls)
	b.wait(s, "Authenticate", func() {
		var all sync.WaitGroup
		for i := range attempts {
			all.Go(func() {
				call, selfie := s.call(selfieSize)
				v, err := s.adapter.Authenticate(context.Background(), call)
				attempts[i] = attempt{v, err, selfie}
			})
		}
		all.Wait()
	})
	for _, a := range attempts {
		if a.err != nil {
			b.find("one of %d calls at once: error %v", calls, a.err)
		}
		if want := b.suite.Answers[0].Outcome; want != "" && a.verdict.Outcome != want {
			b.find("one of %d calls at once: outcome %q, want %q", calls, a.verdict.Outcome, want)
		}
	}
	if n := s.paid.Load(); n != calls {
		b.find("%d calls at once: %d paid calls arrived", calls, n)
	}
	for _, a := range attempts {
		b.judgeSelfie(s, "calls at once", a.selfie)
	}
}
