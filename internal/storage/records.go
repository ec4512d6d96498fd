package storage

import (
	"encoding/binary"
	"net"
)

// records is a connection below TLS that knows whether what was read from it ends where
// a record does. TLS reads ahead, and does not tell what it has of the next record.
type records struct {
	net.Conn
	// header is that of the record that is being read: its type, its version in two
	// bytes, and its length in two (RFC 8446, 5.1).
	header [5]byte
	begun  int // bytes of header
	left   int // bytes that the record has behind its header
}

// Read implements io.Reader.
func (r *records) Read(p []byte) (n int, err error) {
	n, err = r.Conn.Read(p)
	for p = p[:n]; len(p) > 0; {
		if r.left == 0 {
			copied := copy(r.header[r.begun:], p)
			r.begun, p = r.begun+copied, p[copied:]
			if r.begun == len(r.header) {
				r.begun, r.left = 0, int(binary.BigEndian.Uint16(r.header[3:]))
			}
			continue
		}
		passed := min(r.left, len(p))
		r.left, p = r.left-passed, p[passed:]
	}
	return n, err
}

// whole tells whether nothing of a record was read that has not been read to its end.
func (r *records) whole() bool { return r.begun == 0 && r.left == 0 }
