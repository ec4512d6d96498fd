package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"reauth/internal/event"
)

// read brings an object into memory. What it returns is the caller's to release.
//
// The first GET holds the estimate, the second the size that the first one saw,
// the third the maximum, in case the object was replaced in between. With the
// maximum reserved a GET cannot run short, so there is no fourth.
func (s *Store) read(ctx context.Context, ref Ref) (_ *buffer, sum [sha256.Size]byte, _ *Error) {
	want := s.sizes.next()
	for try := 1; ; try++ {
		if try == 3 {
			want = s.maxBytes
		}
		waiting := time.Now()
		content, err := s.memory.reserve(ctx, want)
		if err != nil {
			return nil, sum, &Error{Kind: Interrupted, Err: fmt.Errorf("waiting for selfie memory: %w", err)}
		}
		s.metrics.waited(waiting)

		getting := time.Now()
		sum, need, fault := s.get(ctx, ref, content)
		s.metrics.got(getting)
		if fault == nil && need == 0 {
			content.fit(content.size)
			s.sizes.observe(content.size)
			return content, sum, nil
		}
		content.release()
		if fault != nil {
			return nil, sum, fault
		}
		want = need
		s.metrics.refetches.Inc()
	}
}

// get makes one GET and reads its whole answer into content. A need above zero
// says that it did not: the object is larger than what content holds and growing
// would have to wait, so content must be released and need bytes reserved.
func (s *Store) get(ctx context.Context, ref Ref, content *buffer) (sum [sha256.Size]byte, need int64, fault *Error) {
	getting, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	answer, err := s.client.send(getting, http.MethodGet, ref)
	if err != nil {
		return sum, 0, classify(ctx, getting, err)
	}
	// Closing an answer that was read to its end keeps the connection.
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		refused, err := readRefusal(answer)
		if err != nil {
			return sum, 0, classify(ctx, getting, err)
		}
		return sum, 0, judge(ref, refused)
	}

	// limit is the size if the store tells it: net/http lets no byte more
	// through.
	limit, known := s.maxBytes, false
	if answer.ContentLength >= 0 {
		limit, known = answer.ContentLength, true
	}
	if limit > s.maxBytes {
		return sum, 0, unusable(event.SelfieTooLarge)
	}
	if known && !content.fit(limit) {
		return sum, limit, nil
	}
	sum, err = fill(content, answer.Body, limit)
	switch {
	case errors.Is(err, errLonger):
		return sum, 0, unusable(event.SelfieTooLarge)
	case errors.Is(err, errReservationUsed):
		return sum, s.maxBytes, nil
	case err != nil:
		return sum, 0, classify(ctx, getting, &brokenAnswer{err})
	case known && content.size < limit:
		return sum, 0, &Error{Kind: Transient, Err: &brokenAnswer{io.ErrUnexpectedEOF}}
	}
	return sum, 0, nil
}

// How fill ends short of the end of its source.
var (
	errLonger          = errors.New("more bytes than the limit")
	errReservationUsed = errors.New("reservation is used up")
)

// fill reads source to its end into content, growing its reservation while that
// needs no wait, and returns the digest. It reads at most one byte more than
// limit, to tell an end from an excess.
func fill(content *buffer, source io.Reader, limit int64) (sum [sha256.Size]byte, err error) {
	digest := sha256.New()
	for {
		if content.size == limit {
			var excess [1]byte
			if _, err = io.ReadFull(source, excess[:]); err == nil {
				return sum, errLonger
			}
		} else {
			room := content.room(limit - content.size)
			if room == nil {
				if !content.fit(content.reserved + chunkSize) {
					return sum, errReservationUsed
				}
				continue
			}
			var n int
			n, err = source.Read(room)
			digest.Write(room[:n])
			content.wrote(n)
		}
		if err == io.EOF {
			digest.Sum(sum[:0])
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
	}
}
