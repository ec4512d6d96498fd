package storage

import (
	"crypto/sha256"
	"io"
	"sync"
)

// Selfie is an image in bounded memory. It must be released, or its Body
// closed, for the memory to become free. Its methods may be used by many
// goroutines at once.
type Selfie struct {
	size        int64
	contentType string
	sum         [32]byte
	version     string
	width       int
	height      int

	mu sync.Mutex // guards all below
	// content is nil once released: its chunks are then somebody else's.
	content *buffer
	taken   bool
}

// Size returns the length in bytes; at least 1.
func (s *Selfie) Size() int64 { return s.size }

// ContentType returns image/jpeg or image/png, from the content.
func (s *Selfie) ContentType() string { return s.contentType }

// SHA256 returns the digest of the content.
func (s *Selfie) SHA256() [sha256.Size]byte { return s.sum }

// Version returns the S3 version id of the object that was read, empty in a
// bucket that has never had versions.
func (s *Selfie) Version() string { return s.version }

// Width returns the width in pixels that the header claims.
func (s *Selfie) Width() int { return s.width }

// Height returns the height in pixels that the header claims.
func (s *Selfie) Height() int { return s.height }

// Reader returns a reader from the first byte, any number of times and without
// taking the Body. Once the selfie is released, its reads fail with ErrReleased.
func (s *Selfie) Reader() io.Reader {
	// A caller that looks for a Closer must not find the one that releases.
	return struct{ io.Reader }{&body{selfie: s}}
}

// Body returns the bytes, once; the body of a second call fails with
// ErrBodyTaken. Closing it releases the selfie. Close may come at any time,
// also during a Read: net/http's transport does that when a server answers
// early. Reads that come later fail with ErrReleased.
func (s *Selfie) Body() io.ReadCloser {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken {
		return takenBody{}
	}
	s.taken = true
	return &body{selfie: s}
}

// Release gives the memory back, whether or not a Body was taken. It may be
// called again.
func (s *Selfie) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.content != nil {
		s.content.release()
		s.content = nil
	}
}

// body reads a selfie from start to end.
type body struct {
	selfie *Selfie
	offset int64 // guarded by selfie.mu
}

// Read copies under the selfie's lock, so that no chunk is read once it has
// been given back.
func (b *body) Read(p []byte) (int, error) {
	s := b.selfie
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.content == nil {
		return 0, ErrReleased
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := s.content.ReadAt(p, b.offset)
	b.offset += int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, err
}

func (b *body) Close() error {
	b.selfie.Release()
	return nil
}

// takenBody stands in for a body that was handed out before. Closing it leaves
// the selfie to whoever has the first.
type takenBody struct{}

func (takenBody) Read([]byte) (int, error) { return 0, ErrBodyTaken }
func (takenBody) Close() error             { return nil }
