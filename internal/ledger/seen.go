package ledger

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"
)

// ID stands for a request id in memory: the first half of its SHA-256, so that
// nobody can choose ids that collide.
type ID [16]byte

// IDOf returns the ID of a request id.
func IDOf(requestID string) ID {
	sum := sha256.Sum256([]byte(requestID))
	return ID(sum[:16])
}

var errID = errors.New("an ID is 22 characters of URL-safe base64")

// MarshalText returns the ID as it stands in records: 22 characters.
func (id ID) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, id[:]), nil
}

// UnmarshalText reads what MarshalText returned.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) != base64.RawURLEncoding.EncodedLen(len(id)) {
		return errID
	}
	if _, err := base64.RawURLEncoding.Strict().Decode(id[:], text); err != nil {
		return errID
	}
	return nil
}

// seenBuckets is how many spans of time the window is cut into: ids are
// forgotten a span at a time, so at most 1/seenBuckets of the window too late.
const seenBuckets = 8

// seen is the set of ids that were answered within the window, by time. An id
// costs its 16 bytes and the table's overhead: see the package comment.
type seen struct {
	span    time.Duration
	buckets map[int64]map[ID]struct{} // by span number
}

func newSeen(window time.Duration) seen {
	return seen{span: max(window/seenBuckets, time.Millisecond), buckets: map[int64]map[ID]struct{}{}}
}

// add notes an id that was answered at the time.
func (s *seen) add(id ID, at time.Time) {
	n := at.UnixNano() / int64(s.span)
	b := s.buckets[n]
	if b == nil {
		b = map[ID]struct{}{}
		s.buckets[n] = b
	}
	b[id] = struct{}{}
}

// has tells whether an id was answered within the window.
func (s *seen) has(id ID) bool {
	for _, b := range s.buckets {
		if _, ok := b[id]; ok {
			return true
		}
	}
	return false
}

// forget drops what was answered before the window that ends now.
func (s *seen) forget(now time.Time) {
	oldest := now.UnixNano()/int64(s.span) - seenBuckets
	for n := range s.buckets {
		if n < oldest {
			delete(s.buckets, n)
		}
	}
}

// len returns how many ids there are.
func (s *seen) len() (n int) {
	for _, b := range s.buckets {
		n += len(b)
	}
	return n
}
