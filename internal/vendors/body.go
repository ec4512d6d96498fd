package vendors

import (
	"errors"
	"io"
	"sync"
)

var (
	errBodyClosed  = errors.New("request body is closed")
	errSelfieShort = errors.New("selfie ended before its size")
)

// Body is the body of a request that must not be sent twice: text, then the
// selfie if there is one, then text. The selfie is read in place, never copied
// to a buffer of its own.
//
// It has no second start, so a request that carries it has no GetBody, and
// net/http cannot repeat such a request after its first byte: it repeats a
// request with a body on a reused connection only if GetBody is set (go1.26
// net/http, persistConn.shouldRetryRequest and Request.isReplayable; the
// headers Idempotency-Key and X-Idempotency-Key lift only the rule about the
// method, not this one).
//
// Its methods may be used by several goroutines at once.
type Body struct {
	size int64

	mu      sync.Mutex // guards what follows
	prefix  []byte
	selfie  io.ReadCloser // nil when there is none, or once given back
	left    int64         // bytes of the selfie not yet read
	suffix  []byte
	touched bool
	closed  bool
}

// NewBody takes the selfie's bytes over; nil means that there is none. Whoever
// calls NewBody closes the Body, also if no request is made of it.
func NewBody(prefix []byte, selfie Selfie, suffix []byte) *Body {
	b := &Body{prefix: prefix, suffix: suffix}
	if selfie != nil {
		b.selfie, b.left = selfie.Body(), selfie.Size()
	}
	b.size = int64(len(prefix)) + b.left + int64(len(suffix))
	return b
}

// Size is the length in bytes, for Content-Length.
func (b *Body) Size() int64 { return b.size }

// Read implements io.Reader. It goes on over the ends of the parts, so that a short
// one does not leave in a write, and a packet, of its own. The selfie is given back
// with its last byte, without waiting for Close: over HTTP/2 the transport may close
// a request's body only when the answer has come.
func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case len(p) == 0:
		return 0, nil
	case b.drained():
		// Also when closed: a transport that looks for the end after the
		// answer has come must not take the closing for a broken body,
		// or it would give up the connection.
		return 0, io.EOF
	case b.closed:
		return 0, errBodyClosed
	}
	n, err := 0, error(nil)
	for n < len(p) && err == nil && !b.drained() {
		var read int
		read, err = b.next(p[n:])
		n += read
	}
	b.touched = b.touched || n > 0
	return n, err
}

// drained tells whether all has been handed out.
func (b *Body) drained() bool { return len(b.prefix)+len(b.suffix) == 0 && b.left == 0 }

// next reads from the first part that has something left.
func (b *Body) next(p []byte) (int, error) {
	if len(b.prefix) > 0 {
		n := copy(p, b.prefix)
		b.prefix = b.prefix[n:]
		return n, nil
	}
	if b.left > 0 {
		n, err := b.selfie.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		if b.left == 0 {
			return n, b.release()
		}
		if errors.Is(err, io.EOF) {
			err = errSelfieShort
		}
		return n, err
	}
	n := copy(p, b.suffix)
	b.suffix = b.suffix[n:]
	return n, nil
}

// Close gives the selfie back; no byte leaves the Body after it. Closing twice
// is not an error.
func (b *Body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.release()
}

func (b *Body) release() error {
	if b.selfie == nil {
		return nil
	}
	s := b.selfie
	b.selfie = nil
	return s.Close()
}

// Touched says whether a byte has been handed out. Once the Body is closed the
// answer is final: if it is no, the vendor had at most the request's headers,
// which name neither subject nor selfie, and cannot have acted.
func (b *Body) Touched() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.touched
}
