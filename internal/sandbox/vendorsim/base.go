package vendorsim

import (
	"errors"
	"sync"
)

// Base is the part of a simulator that a vendor's API has no say in: its knobs
// and its end. All methods may be used by many goroutines at once.
type Base[K Knobs[K]] struct {
	// closed is closed by Close and ends every wait.
	closed    chan struct{}
	closeOnce sync.Once

	// mu guards knobs.
	mu    sync.Mutex
	knobs K
}

// Knobs are what can be changed while a simulator runs.
type Knobs[K any] interface {
	// Validate reports every value that makes no sense, joined.
	Validate() error
	// Clone returns a copy that shares no memory.
	Clone() K
}

// NewBase returns one with knobs, or every fault of them.
func NewBase[K Knobs[K]](knobs K) (*Base[K], error) {
	if err := knobs.Validate(); err != nil {
		return nil, err
	}
	return &Base[K]{closed: make(chan struct{}), knobs: knobs.Clone()}, nil
}

// Close lets go of every call that waits: they end as broken connections and
// charge nothing more. It does not wait for them; http.Server does.
func (b *Base[K]) Close() { b.closeOnce.Do(func() { close(b.closed) }) }

// Closed is closed by Close.
func (b *Base[K]) Closed() <-chan struct{} { return b.closed }

// Knobs returns the current ones.
func (b *Base[K]) Knobs() K {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.knobs.Clone()
}

// Adjust changes the knobs for calls that arrive from now on. When change
// leaves them invalid or returns an error, they stay as they were.
func (b *Base[K]) Adjust(change func(*K) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.knobs.Clone()
	if err := errors.Join(change(&k), k.Validate()); err != nil {
		return err
	}
	b.knobs = k
	return nil
}
