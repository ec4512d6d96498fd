package storage

import (
	"encoding/binary"
	"math"

	"reauth/internal/event"
)

// pngSize returns the size in the IHDR chunk, which a PNG begins with
// (W3C PNG, third edition, 5.6 and 11.2.1).
func pngSize(content *buffer) (width, height int, ok bool) {
	var header [24]byte
	if n, _ := content.ReadAt(header[:], 0); n < len(header) || string(header[12:16]) != "IHDR" {
		return 0, 0, false
	}
	w, h := binary.BigEndian.Uint32(header[16:]), binary.BigEndian.Uint32(header[20:])
	if w > math.MaxInt32 || h > math.MaxInt32 {
		return 0, 0, false
	}
	return int(w), int(h), true
}

// pngEnds walks from chunk to chunk and returns nil when it meets a whole IEND:
// length, type, data and checksum. Whatever follows is not looked at.
func pngEnds(content *buffer) *Error {
	var header [8]byte
	for offset := int64(len(pngMagic)); ; {
		if n, _ := content.ReadAt(header[:], offset); n < len(header) {
			return unusable(event.SelfieTruncated)
		}
		length := binary.BigEndian.Uint32(header[:])
		if length > math.MaxInt32 {
			return unusable(event.SelfieUnreadable)
		}
		offset += int64(len(header)) + int64(length) + 4
		if offset > content.size {
			return unusable(event.SelfieTruncated)
		}
		if string(header[4:]) == "IEND" {
			return nil
		}
	}
}
