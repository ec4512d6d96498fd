//go:build unix && !race

package storage

import (
	"fmt"
	"syscall"
)

// newChunk returns a chunk outside the Go heap. Inside, chunks would be by far
// the most of it, and all of them again would be what the garbage collector
// lets grow between two collections: with 64 MiB of selfies the process had
// 207 MiB resident, and the collector's work is not with them but with the
// rest (go1.26, 256 calls in flight, selfies of 100 KB).
//
// Neighbouring chunks are one mapping to the kernel.
func newChunk() *chunk {
	mapped, err := syscall.Mmap(-1, 0, chunkSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		// As the runtime does when it gets no memory.
		panic(fmt.Sprintf("storage: mapping memory for a selfie: %v", err))
	}
	return (*chunk)(mapped)
}

// freeChunk gives a chunk back to the system. Nobody may touch it any more.
func freeChunk(c *chunk) {
	if err := syscall.Munmap(c[:]); err != nil {
		panic(fmt.Sprintf("storage: unmapping memory of a selfie: %v", err)) // a bug: it was mapped by newChunk
	}
}
