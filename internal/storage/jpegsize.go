package storage

import (
	"image"
	"image/jpeg"
	"io"
)

// More JPEG markers of ITU-T T.81, table B.1.
const (
	markerSOF0  = 0xc0 // baseline
	markerSOF2  = 0xc2 // progressive; SOF1 is between the two
	markerDHT   = 0xc4
	markerDQT   = 0xdb
	markerDRI   = 0xdd
	markerAPP0  = 0xe0
	markerAPP15 = 0xef
	markerCOM   = 0xfe
)

// jpegConfig returns the size of a JPEG as image/jpeg sees it. That package
// begins with tables of 14 KB for each picture, a seventh of all that a request
// allocates, so it is asked only about pictures that are out of the ordinary;
// of the others its answer is known.
func jpegConfig(content *buffer) (image.Config, error) {
	if width, height, ok := plainJPEG(content); ok {
		return image.Config{Width: width, Height: height}, nil
	}
	return jpeg.DecodeConfig(io.NewSectionReader(content, 0, content.size))
}

// plainJPEG reads the size of a JPEG made of nothing but whole segments of the
// common kinds up to its first scan, one of them a frame header that
// plainFrame knows.
func plainJPEG(content *buffer) (width, height int, ok bool) {
	var header [4]byte
	for offset := int64(2); ; {
		if n, _ := content.ReadAt(header[:], offset); n < len(header) || header[0] != 0xff {
			return 0, 0, false
		}
		length := int64(header[2])<<8 + int64(header[3])
		if length < 2 {
			return 0, 0, false
		}
		switch marker := header[1]; {
		case marker == markerSOS:
			return width, height, ok
		case marker >= markerSOF0 && marker <= markerSOF2:
			if ok {
				return 0, 0, false // a second one
			}
			if width, height, ok = plainFrame(content, offset+4, length-2); !ok {
				return 0, 0, false
			}
		case marker == markerDHT, marker == markerDQT, marker == markerDRI, marker == markerCOM,
			marker >= markerAPP0 && marker <= markerAPP15:
		default:
			return 0, 0, false
		}
		offset += 2 + length
	}
}

// plainFrame reads a frame header (T.81, B.2.2) of 8 bits and either one
// component, or three of which the second and third are sampled the least: what
// cameras write.
func plainFrame(content *buffer, offset, length int64) (width, height int, ok bool) {
	var frame [6 + 3*3]byte
	components := (length - 6) / 3
	if length != 6+3*components || components != 1 && components != 3 {
		return 0, 0, false
	}
	if n, _ := content.ReadAt(frame[:length], offset); int64(n) < length {
		return 0, 0, false
	}
	if frame[0] != 8 || int64(frame[5]) != components {
		return 0, 0, false
	}
	const maxTable = 3
	for c := range components {
		sampling, table := frame[7+3*c], frame[8+3*c]
		plain := sampling == 0x11
		if c == 0 {
			plain = plain || sampling == 0x21 || sampling == 0x12 || sampling == 0x22
		}
		if !plain || table > maxTable {
			return 0, 0, false
		}
	}
	if components == 3 && (frame[6] == frame[9] || frame[6] == frame[12] || frame[9] == frame[12]) {
		return 0, 0, false
	}
	return int(frame[3])<<8 + int(frame[4]), int(frame[1])<<8 + int(frame[2]), true
}
