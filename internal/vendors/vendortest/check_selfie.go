package vendortest

import (
	"context"
	"net/http"
	"time"
)

func needsSelfie(b *bench) bool {
	return b.stage(b.suite.healthy()).adapter.Capabilities().NeedsSelfie
}

func checkSelfie(b *bench) {
	if !needsSelfie(b) {
		return
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		stage func() *stage
	}{
		{"healthy", context.Background(), func() *stage { return b.stage(b.suite.healthy()) }},
		{"HTTP 400", context.Background(), func() *stage { return b.stage(Reply(http.StatusBadRequest, "{}")) }},
		{"HTTP 500", context.Background(), func() *stage { return b.stage(Reply(http.StatusInternalServerError, "{}")) }},
		{"reset", context.Background(), func() *stage { return b.stage(reset) }},
		{"cut off", context.Background(), func() *stage { return b.stage(truncated) }},
		{"nobody listens", context.Background(), b.refusing},
		{"certificate is not trusted", context.Background(), b.untrusted},
		{"context done before", done, func() *stage { return b.stage(b.suite.healthy()) }},
	} {
		s := c.stage()
		a := b.authenticate(c.ctx, s)
		b.judgeSelfie(s, c.name, a.selfie)
	}
	checkSelfieCancelled(b)
	checkSelfieEarlyAnswer(b)
	checkSelfieFreeCallFails(b)
}

func checkSelfieCancelled(b *bench) {
	s := b.stage(nil, hanging)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.arrived:
			cancel()
		case <-s.release:
		}
	}()
	b.judgeSelfie(s, "cancelled", b.authenticate(ctx, s).selfie)
}

// checkSelfieEarlyAnswer: the vendor refuses before it has read the selfie,
// which is too large for the buffers in between. What the caller sees, the
// refusal or a broken connection, is a race; what becomes of the selfie is not.
func checkSelfieEarlyAnswer(b *bench) {
	size := 8 << 20
	if most := b.suite.MaxSelfie; most > 0 {
		size = min(size, most)
	}
	s := b.stage(Reply(http.StatusRequestEntityTooLarge, ""), early)
	a := b.authenticateWith(context.Background(), s, size)
	b.judgeSelfie(s, "answered before it was sent", a.selfie)
	if n := s.paid.Load(); n != 1 {
		b.find("answered before it was sent: %d paid calls, want 1", n)
	}
}

func checkSelfieFreeCallFails(b *bench) {
	if b.suite.Paid == nil {
		return
	}
	s := b.stage(b.suite.healthy(), withFree(Reply(http.StatusInternalServerError, "{}")))
	b.judgeSelfie(s, "free call failing", b.authenticate(context.Background(), s).selfie)
}

// checkSelfieHeld: the vendor answers only once the selfie was given back.
func checkSelfieHeld(b *bench) {
	if !needsSelfie(b) {
		return
	}
	healthy := b.suite.healthy()
	selfies := make(chan *Selfie, 1)
	held := make(chan bool, 1)
	s := b.stage(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-(<-selfies).Closed():
			held <- false
		case <-time.After(b.patience / 2):
			held <- true
		}
		healthy(w, r)
	})
	call, selfie := s.call(selfieSize)
	selfies <- selfie
	b.wait(s, "Authenticate", func() { _, _ = s.adapter.Authenticate(context.Background(), call) })
	select {
	case h := <-held:
		if h {
			b.find("the selfie was sent, but still held while the vendor was thinking")
		}
	default:
		b.find("the paid call did not arrive")
	}
}
