package vendors

import (
	"context"
	"sync"
	"time"
)

// Token is one access token. Its pointer is its identity.
type Token struct {
	Value string
	// RenewAt is when a successor is fetched, Expires when it is used no
	// more. Both lie in our own clock.
	RenewAt, Expires time.Time
	// replaces a token that was refused before any of its kind was accepted:
	// when this one is refused too, tokens are not what is wrong.
	replaces bool
	// accepted is guarded by Tokens.mu.
	accepted bool
}

// Tokens keeps the access token that all calls to a vendor share. Fetching is done
// by one caller at a time, in its own goroutine and under its own context; the
// others wait for it, or go on with the old token as long as that is good: vendors
// ask for few token calls, and some bill many. It may be used by many goroutines
// at once.
type Tokens struct {
	fetch func(context.Context) (*Token, error)
	now   func() time.Time

	mu       sync.Mutex // guards what follows, and Token.accepted
	current  *Token     // nil when there is none
	flight   *flight    // nil when nobody fetches
	doubtful bool       // a token was refused, and none accepted since
}

// NewTokens returns a Tokens without one. fetch gets a token, or an error of the
// adapter's; now is the clock.
func NewTokens(fetch func(context.Context) (*Token, error), now func() time.Time) *Tokens {
	return &Tokens{fetch: fetch, now: now}
}

// flight is one fetch under way. Its result is set before done is closed, by the
// caller that fetches.
type flight struct {
	done  chan struct{}
	token *Token
	err   error
	// abandoned: the caller that fetched left, which says nothing about the
	// vendor.
	abandoned bool
}

// renewPause is how long a good token is used on after its successor could not
// be fetched, before that is tried again.
const renewPause = 30 * time.Second

// Get returns a token that is good by our clock. Its error is that of fetch, of
// one's own or of the caller that was waited for, or ctx's cause.
func (t *Tokens) Get(ctx context.Context) (*Token, error) {
	for {
		t.mu.Lock()
		now := t.now()
		good := t.current != nil && now.Before(t.current.Expires)
		if good && (now.Before(t.current.RenewAt) || t.flight != nil) {
			defer t.mu.Unlock()
			return t.current, nil
		}
		if t.flight == nil {
			f, old := &flight{done: make(chan struct{})}, t.current
			t.flight = f
			t.mu.Unlock()
			if !good {
				old = nil
			}
			return t.fly(ctx, f, old)
		}
		f := t.flight
		t.mu.Unlock()

		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if !f.abandoned {
			return f.token, f.err
		}
	}
}

// fly fetches a token for all. When it cannot be had, old serves on, if there is
// one.
func (t *Tokens) fly(ctx context.Context, f *flight, old *Token) (*Token, error) {
	defer close(f.done)
	fetched, err := t.fetch(unwatched(ctx))

	t.mu.Lock()
	defer t.mu.Unlock()
	t.flight = nil
	f.token, f.err, f.abandoned = fetched, err, err != nil && ctx.Err() != nil
	switch {
	case err == nil:
		fetched.replaces = t.doubtful
		t.current = fetched
	case old != nil && !f.abandoned && t.current == old:
		old.RenewAt = t.now().Add(renewPause)
		f.token, f.err = old, nil
	}
	return f.token, f.err
}

// Refuse says that the vendor refused a call for its token, which is then used
// no more. lasting is true if that token had just replaced a refused one: a
// third would be refused as well.
func (t *Tokens) Refuse(refused *Token) (lasting bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == refused {
		t.current, t.doubtful = nil, true
	}
	return refused.replaces && !refused.accepted
}

// Accept says that the vendor took a token.
func (t *Tokens) Accept(taken *Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken.accepted = true
	if t.current == taken {
		t.doubtful = false
	}
}

// Discard has the next call fetch a new token.
func (t *Tokens) Discard() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = nil
}
