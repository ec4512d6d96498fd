package storage

import "io"

// buffer is a reservation of memory and the bytes in it. One goroutine at a
// time may use it.
type buffer struct {
	memory *memory
	// reserved bytes, a multiple of chunkSize, at least chunkSize for each
	// of chunks.
	reserved int64
	chunks   []*chunk
	// size is the number of bytes written.
	size int64
}

// fit makes the reservation hold exactly bytes, rounded up to whole chunks and
// not below the size, and reports whether it could: growing never waits.
func (b *buffer) fit(bytes int64) bool {
	bytes = wholeChunks(bytes)
	if bytes > b.reserved {
		if !b.memory.tryReserve(bytes - b.reserved) {
			return false
		}
		b.reserved = bytes
		return true
	}
	// The last chunk is empty when the end came where it begins.
	if keep := int(bytes / chunkSize); keep < len(b.chunks) {
		b.memory.put(b.chunks[keep:])
		b.chunks = b.chunks[:keep]
	}
	b.memory.unreserve(b.reserved - bytes)
	b.reserved = bytes
	return true
}

// room returns where the next bytes go, at most limit of them; empty when the
// reservation is used up.
func (b *buffer) room(limit int64) []byte {
	used := int(b.size % chunkSize)
	if b.size == int64(len(b.chunks))*chunkSize {
		if b.size == b.reserved {
			return nil
		}
		b.chunks = append(b.chunks, b.memory.take())
	}
	room := b.chunks[len(b.chunks)-1][used:]
	return room[:min(int64(len(room)), limit)]
}

// wrote says that n bytes of the room have been filled.
func (b *buffer) wrote(n int) { b.size += int64(n) }

// ReadAt is that of io.ReaderAt.
func (b *buffer) ReadAt(p []byte, offset int64) (int, error) {
	n := 0
	for n < len(p) && offset < b.size {
		at := offset % chunkSize
		end := min(chunkSize, at+b.size-offset)
		copied := copy(p[n:], b.chunks[offset/chunkSize][at:end])
		n += copied
		offset += int64(copied)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// release gives everything back; the buffer is empty afterwards and may be
// released again.
func (b *buffer) release() {
	b.memory.put(b.chunks)
	b.memory.unreserve(b.reserved)
	b.chunks, b.reserved, b.size = nil, 0, 0
}
