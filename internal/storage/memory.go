package storage

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// chunkSize is the unit of memory. A selfie of 100 KB wastes a fifth of
	// it; smaller chunks would cost more reads per selfie.
	chunkSize = 64 << 10
	// trimEvery is how long a chunk may lie unused before it is freed, to
	// within a factor of two.
	trimEvery = 30 * time.Second
)

type chunk [chunkSize]byte

// memory hands out chunks, never more than its limit together. A reservation is
// made in bytes and becomes chunks as it is filled; chunks given back are kept
// for the next one. A sync.Pool would lose them at every collection.
type memory struct {
	limit   int64
	sem     *semaphore.Weighted
	metrics *metrics

	mu   sync.Mutex // guards all below
	free []*chunk
	// unused is the least number of free chunks since the last trim: so many
	// could have been missing without anyone noticing.
	unused int
	// trimmer is armed while there are free chunks.
	trimmer *time.Timer
	closed  bool
}

// newMemory returns a memory of limit bytes, rounded down to whole chunks.
func newMemory(limit int64, m *metrics) *memory {
	limit = limit / chunkSize * chunkSize
	m.limit.Set(float64(limit))
	return &memory{limit: limit, sem: semaphore.NewWeighted(limit), metrics: m}
}

// reserve waits until bytes, rounded up to whole chunks, are free, in the order
// of asking. It fails only with ctx, and then holds nothing.
func (m *memory) reserve(ctx context.Context, bytes int64) (*buffer, error) {
	bytes = wholeChunks(bytes)
	if err := m.sem.Acquire(ctx, bytes); err != nil {
		return nil, context.Cause(ctx)
	}
	m.metrics.bytes.Add(float64(bytes))
	return &buffer{memory: m, reserved: bytes}, nil
}

// reserveNow is reserve without a wait: nil where that would take one, which is
// also while others wait.
func (m *memory) reserveNow(bytes int64) *buffer {
	bytes = wholeChunks(bytes)
	if !m.tryReserve(bytes) {
		return nil
	}
	return &buffer{memory: m, reserved: bytes}
}

// tryReserve adds bytes to a reservation, if that needs no wait.
func (m *memory) tryReserve(bytes int64) bool {
	if !m.sem.TryAcquire(bytes) {
		return false
	}
	m.metrics.bytes.Add(float64(bytes))
	return true
}

// unreserve gives bytes back.
func (m *memory) unreserve(bytes int64) {
	if bytes == 0 {
		return
	}
	m.metrics.bytes.Sub(float64(bytes))
	m.sem.Release(bytes)
}

// take returns a chunk with arbitrary content. The caller has reserved it.
func (m *memory) take() *chunk {
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := len(m.free) - 1; last >= 0 {
		c := m.free[last]
		m.free[last] = nil
		m.free = m.free[:last]
		m.unused = min(m.unused, last)
		return c
	}
	m.metrics.kept.Add(chunkSize)
	return newChunk()
}

// put keeps chunks for reuse. It comes before the unreserve of the same bytes,
// so that chunks in use and kept together stay within the limit.
func (m *memory) put(chunks []*chunk) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(chunks) == 0 {
		return
	}
	if m.closed {
		m.discard(chunks)
		return
	}
	m.free = append(m.free, chunks...)
	if m.trimmer == nil {
		m.unused = 0
		m.trimmer = time.AfterFunc(trimEvery, m.trim)
	}
}

// trim drops the chunks that nobody has needed since the last trim.
func (m *memory) trim() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.drop(m.unused)
	m.unused = len(m.free)
	if len(m.free) == 0 {
		m.trimmer = nil
		return
	}
	m.trimmer.Reset(trimEvery)
}

// drop frees n of the free chunks. The caller holds mu.
func (m *memory) drop(n int) {
	left := len(m.free) - n
	m.discard(m.free[left:])
	clear(m.free[left:])
	m.free = m.free[:left]
}

// discard frees chunks that nobody will ask for again.
func (m *memory) discard(chunks []*chunk) {
	for _, c := range chunks {
		freeChunk(c)
	}
	m.metrics.kept.Sub(float64(len(chunks) * chunkSize))
}

// close drops the free chunks, and those that come back later as they do.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.trimmer != nil {
		m.trimmer.Stop()
	}
	m.drop(len(m.free))
}

// wholeChunks rounds bytes up to whole chunks, at least one.
func wholeChunks(bytes int64) int64 {
	return max(1, (bytes+chunkSize-1)/chunkSize) * chunkSize
}
