package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"reauth/internal/event"
)

// Store reads selfies, and does away with them. Its methods may be used by many goroutines at once.
type Store struct {
	client    *client
	buckets   []string // the first is the default
	maxBytes  int64
	maxPixels int
	timeout   time.Duration
	// storedDigest is Config.StoredDigest.
	storedDigest bool
	memory       *memory
	sizes        *estimate
	hedges       *hedges // nil without hedging
	after        AfterVerdict
	metrics      *metrics
}

// Open returns a store, or everything that is wrong with the configuration. It
// asks the store nothing (Check does), but the SDK's chain may read files and
// environment. Close it after its last fetch.
func Open(ctx context.Context, c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("opening selfie store: %w", err)
	}
	client, err := newClient(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("opening selfie store: %w", err)
	}
	m := newMetrics()
	if err := m.register(c.Registerer); err != nil {
		return nil, fmt.Errorf("opening selfie store: %w", err)
	}
	s := &Store{
		client:       client,
		buckets:      c.buckets(),
		maxBytes:     c.MaxBytes,
		maxPixels:    c.MaxPixels,
		timeout:      c.Timeout,
		storedDigest: c.StoredDigest,
		memory:       newMemory(c.MaxMemory, m),
		sizes:        &estimate{max: c.MaxBytes},
		after:        c.AfterVerdict,
		metrics:      m,
	}
	if c.Hedge {
		s.hedges = newHedges(c.Timeout)
	}
	return s, nil
}

// Close closes the idle connections and drops the memory kept for reuse.
// Selfies that are still held stay readable.
func (s *Store) Close() {
	s.client.transport.CloseIdleConnections()
	s.memory.close()
}

// Fetch reads and checks a selfie. It waits for memory as long as ctx allows,
// then for the store at most Config.Timeout per GET. The caller releases the
// selfie or closes its body. Every error is an *Error.
func (s *Store) Fetch(ctx context.Context, ref Ref) (*Selfie, error) {
	if ref.Bucket == "" {
		ref.Bucket = s.buckets[0]
	}
	selfie, err := s.fetch(ctx, ref)
	s.metrics.ended(err)
	if err != nil {
		err.Op, err.Bucket = "fetch", ref.Bucket
		return nil, err
	}
	return selfie, nil
}

func (s *Store) fetch(ctx context.Context, ref Ref) (*Selfie, *Error) {
	if !slices.Contains(s.buckets, ref.Bucket) {
		return nil, &Error{Kind: Refused, Reason: event.SelfieForbidden}
	}
	o, err := s.read(ctx, ref)
	if err != nil {
		return nil, err
	}
	picture, err := inspect(o.content, s.maxPixels)
	if err != nil {
		o.content.release()
		if !o.tagged {
			return nil, &Error{Kind: Fault, Err: errNoObject}
		}
		err.Version = o.version
		return nil, err
	}
	return &Selfie{
		size:        o.content.size,
		contentType: picture.contentType,
		sum:         o.sum,
		version:     o.version,
		width:       picture.width,
		height:      picture.height,
		content:     o.content,
	}, nil
}
