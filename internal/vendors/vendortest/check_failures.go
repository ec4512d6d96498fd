package vendortest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"reauth/internal/vendors"
)

// checkStages breaks a call at every stage. Before the paid call can have left,
// its outcome is known; after that only a readable answer makes it known.
func checkStages(b *bench) {
	for _, c := range []struct {
		name    string
		stage   func() *stage
		unknown bool
	}{
		{"nobody listens", b.refusing, false},
		{"certificate is not trusted", b.untrusted, false},
		{"vendor does not speak TLS", b.plain, false},
		{"vendor leaves TLS after the request", b.leavingTLS, true},
		{"reset after the request", func() *stage { return b.stage(reset) }, true},
		{"closed after the request", func() *stage { return b.stage(hangUp) }, true},
		{"not HTTP", func() *stage { return b.stage(raw("220 mail ready\r\n")) }, true},
		{"answer cut off", func() *stage { return b.stage(truncated) }, true},
		{"answer of a proxy", func() *stage { return b.stage(reply(http.StatusBadGateway, "text/html", html, nil)) }, true},
	} {
		s := c.stage()
		e := b.authenticate(context.Background(), s).fault(b, c.name)
		if e == nil {
			continue
		}
		if e.Unknown != c.unknown {
			b.find("%s: Unknown is %v, want %v", c.name, e.Unknown, c.unknown)
		}
		// What is known not to have arrived may be put down to the lane.
		if e.Kind != vendors.Transient && (c.unknown || e.Kind != vendors.LaneFault) {
			b.find("%s: kind %s, want %s", c.name, e.Kind, vendors.Transient)
		}
	}
	checkStagesBeforeThePaidCall(b)
}

// checkStagesBeforeThePaidCall breaks the free calls around it. The paid call
// may have come before them only if it arrived.
func checkStagesBeforeThePaidCall(b *bench) {
	if b.suite.Paid == nil {
		return
	}
	for name, free := range map[string]http.HandlerFunc{
		"free call reset":   reset,
		"free call cut off": truncated,
		"free call failing": Reply(http.StatusInternalServerError, "{}"),
	} {
		s := b.stage(b.suite.healthy(), withFree(free))
		e := b.authenticate(context.Background(), s).fault(b, name)
		if e != nil && e.Unknown && s.paid.Load() == 0 {
			b.find("%s: Unknown is true, but the paid call was never made", name)
		}
	}
}

// refusing is a stage whose vendor's port is closed.
func (b *bench) refusing() *stage {
	s := b.stage(b.suite.healthy())
	s.server.Close()
	return s
}

// untrusted is a stage whose vendor's certificate nobody has signed.
func (b *bench) untrusted() *stage {
	s := b.unstarted(b.suite.healthy())
	s.server.StartTLS()
	b.connect(s, s.server.URL)
	return s
}

// plain is a stage whose vendor has no TLS although its URL says so.
func (b *bench) plain() *stage {
	s := b.unstarted(b.suite.healthy())
	s.server.Start()
	b.connect(s, "https://"+s.server.Listener.Addr().String())
	return s
}

// leavingTLS is a stage whose vendor, or what stands before it, gives its answer
// as plain text over a connection that has been TLS so far.
func (b *bench) leavingTLS() *stage {
	s := b.unstarted(func(w http.ResponseWriter, _ *http.Request) {
		hijack(w, func(c net.Conn) {
			if encrypted, ok := c.(*tls.Conn); ok {
				_, _ = io.WriteString(encrypted.NetConn(), "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
			}
		})
	})
	s.server.StartTLS()
	s.client = s.server.Client()
	b.connect(s, s.server.URL)
	return s
}

// checkRepeats breaks the second call of a connection, where net/http takes a
// failure for a connection gone stale and sends again what it may.
func checkRepeats(b *bench) {
	for name, breakOff := range map[string]http.HandlerFunc{"closed": hangUp, "reset": reset, "cut off": truncated} {
		var calls atomic.Int64
		healthy := b.suite.healthy()
		s := b.stage(func(w http.ResponseWriter, r *http.Request) {
			if calls.Add(1) == 1 {
				healthy(w, r)
				return
			}
			breakOff(w, r)
		})
		if a := b.authenticate(context.Background(), s); a.err != nil {
			b.find("first call: error %v", a.err)
			continue
		}
		e := b.authenticate(context.Background(), s).fault(b, "used connection "+name)
		if e != nil && !e.Unknown {
			b.find("used connection %s: Unknown is false, but the call had arrived", name)
		}
		if n := s.paid.Load() - 1; n != 1 && !b.suite.ReadOnly {
			b.find("used connection %s: one call arrived %d times", name, n)
		}
	}
}

var errStopped = errors.New("stopped by the test")

func checkContext(b *bench) {
	checkContextBefore(b)
	checkContextDuring(b)
	checkDeadline(b)
}

// checkContextBefore: nothing is sent when it is too late already.
func checkContextBefore(b *bench) {
	s := b.stage(b.suite.healthy(), toAll)
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errStopped)
	a := b.authenticate(ctx, s)
	if e := a.fault(b, "context done before"); e != nil && (e.Unknown || !errors.Is(a.err, errStopped)) {
		b.find("context done before: Unknown is %v and the cause is kept is %v, want false and true", e.Unknown, errors.Is(a.err, errStopped))
	}
	if n := s.opened.Load(); n > 0 {
		b.find("context done before: the vendor was connected to")
	}
}

// checkContextDuring: the cause of a cancellation reaches the caller.
func checkContextDuring(b *bench) {
	s := b.stage(nil, hanging)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		select {
		case <-s.arrived:
			cancel(errStopped)
		case <-s.release:
		}
	}()
	a := b.authenticate(ctx, s)
	e := a.fault(b, "cancelled")
	if e == nil {
		return
	}
	if !e.Unknown {
		b.find("cancelled: Unknown is false, but the vendor has had the call")
	}
	if e.Kind != vendors.Transient {
		b.find("cancelled: kind %s, want %s", e.Kind, vendors.Transient)
	}
	if !errors.Is(a.err, errStopped) || !errors.Is(a.err, context.Canceled) {
		b.find("cancelled: error %v is neither context.Canceled nor its cause", a.err)
	}
}

func checkDeadline(b *bench) {
	s := b.stage(nil, hanging)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	a := b.authenticate(ctx, s)
	if a.fault(b, "deadline") != nil && !errors.Is(a.err, context.DeadlineExceeded) {
		b.find("deadline: error %v is not context.DeadlineExceeded", a.err)
	}
}

func checkBounds(b *bench) {
	taken := make(chan bool, 1)
	s := b.stage(endless(taken))
	a := b.authenticate(context.Background(), s)
	if e := a.fault(b, "endless answer"); e != nil && !e.Unknown {
		b.find("endless answer: Unknown is false, but the vendor has had the call")
	}
	select {
	case all := <-taken:
		if all {
			b.find("an answer of %d MiB was read to its end", endlessBytes>>20)
		}
	case <-time.After(b.patience):
		b.find("endless answer: the connection was neither read nor closed")
	}
}

func checkRetryAfter(b *bench) {
	const longest = 24 * time.Hour
	for _, c := range []struct {
		value   string
		min     time.Duration
		atMost  time.Duration
		comment string
	}{
		{"7", 7 * time.Second, 7 * time.Second, "seconds"},
		{time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat), 80 * time.Second, 95 * time.Second, "a date"},
		{time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0, 0, "a date gone by"},
		{"", 0, 0, "nothing"},
		{"0", 0, 0, "zero"},
		{"-5", 0, 0, "less than zero"},
		{"soon", 0, 0, "no number"},
		{"99999999999999999999", time.Minute, longest, "a number too large"},
	} {
		s := b.stage(reply(http.StatusTooManyRequests, "application/json", "{}", http.Header{"Retry-After": {c.value}}))
		e := b.authenticate(context.Background(), s).fault(b, "Retry-After")
		if e != nil && (e.RetryAfter < c.min || e.RetryAfter > c.atMost) {
			b.find("Retry-After with %s: %v, want %v to %v", c.comment, e.RetryAfter, c.min, c.atMost)
		}
	}
}
