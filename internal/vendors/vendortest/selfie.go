package vendortest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"reauth/internal/vendors"
)

// selfieMark fills a Selfie, so that any part of it longer than the mark can be
// recognised.
const selfieMark = "canary-selfie-5d1e "

// Selfie is a vendors.Selfie that remembers what was done with it. It begins
// and ends like a JPEG, if it is that long. Its methods may be used by many goroutines at once.
type Selfie struct {
	data   []byte
	closed chan struct{} // closed by the first Close

	mu     sync.Mutex // guards what follows
	opens  int
	closes int
	late   bool // read after Close
}

var _ vendors.Selfie = (*Selfie)(nil)

// NewSelfie returns a selfie of size bytes.
func NewSelfie(size int) *Selfie {
	data := []byte{0xFF, 0xD8, 0xFF, 0xE0}
	data = append(data, bytes.Repeat([]byte(selfieMark), size/len(selfieMark)+1)...)[:size]
	if end := []byte{0xFF, 0xD9}; size >= 8 {
		copy(data[size-len(end):], end)
	}
	return &Selfie{data: data, closed: make(chan struct{})}
}

// Bytes returns the whole image, without counting as a use of Body.
func (s *Selfie) Bytes() []byte { return s.data }

// Size implements vendors.Selfie.
func (s *Selfie) Size() int64 { return int64(len(s.data)) }

// ContentType implements vendors.Selfie.
func (s *Selfie) ContentType() string { return "image/jpeg" }

// Reader implements vendors.Selfie.
func (s *Selfie) Reader() io.Reader {
	return struct{ io.Reader }{&selfieBody{selfie: s, rest: s.data}}
}

// Body implements vendors.Selfie.
func (s *Selfie) Body() io.ReadCloser {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens++
	return &selfieBody{selfie: s, rest: s.data}
}

// Closed returns a channel that is closed with the selfie.
func (s *Selfie) Closed() <-chan struct{} { return s.closed }

// Faults says what was done with the selfie that must not be: it is opened
// once, closed once, and not read after that.
func (s *Selfie) Faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var faults []string
	if s.opens != 1 {
		faults = append(faults, fmt.Sprintf("selfie was opened %d times, want once", s.opens))
	}
	if s.closes != 1 {
		faults = append(faults, fmt.Sprintf("selfie was closed %d times, want once", s.closes))
	}
	if s.late {
		faults = append(faults, "selfie was read after it was closed")
	}
	return faults
}

// selfieBody hands out small pieces, like a selfie that is held in chunks.
type selfieBody struct {
	selfie *Selfie
	rest   []byte
}

const chunk = 8 << 10

var errSelfieClosed = errors.New("selfie is closed")

func (b *selfieBody) Read(p []byte) (int, error) {
	b.selfie.mu.Lock()
	defer b.selfie.mu.Unlock()
	if b.selfie.closes > 0 {
		b.selfie.late = true
		return 0, errSelfieClosed
	}
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.rest[:min(chunk, len(b.rest))])
	b.rest = b.rest[n:]
	return n, nil
}

func (b *selfieBody) Close() error {
	b.selfie.mu.Lock()
	defer b.selfie.mu.Unlock()
	b.selfie.closes++
	if b.selfie.closes == 1 {
		close(b.selfie.closed)
	}
	return nil
}
