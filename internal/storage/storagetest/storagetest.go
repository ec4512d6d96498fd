// Package storagetest makes synthetic selfies for tests and simulators: noise,
// no faces, the same bytes for the same arguments.
package storagetest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
)

// JPEG returns a valid JPEG of noise of exactly size bytes, or somewhat more
// where size is too small for one (below about 1 KB). Most of it is picture;
// the rest are comments.
func JPEG(seed uint64, size int) []byte {
	// Noise at this quality takes some 0.87 bytes a pixel.
	picture := encodeJPEG(noise(seed, size*9/10*100/87-800))
	return padJPEG(picture, size)
}

// JPEGOf returns a valid JPEG of the given width and height.
func JPEGOf(width, height int) []byte {
	return encodeJPEG(image.NewGray(image.Rect(0, 0, width, height)))
}

// PNG returns a valid PNG of noise of exactly size bytes, or somewhat more where
// size is too small for one (below about 200 bytes).
func PNG(seed uint64, size int) []byte {
	picture := encodePNG(noise(seed, size*9/10-200))
	missing := size - len(picture) - 12
	if missing < 0 {
		return picture
	}
	end := len(picture) - 12 // where IEND begins
	return append(append(picture[:end:end], pngChunk("raND", make([]byte, missing))...), picture[end:]...)
}

// PNGBomb returns a small PNG whose header claims 60,000 by 60,000 pixels.
func PNGBomb() []byte {
	header := binary.BigEndian.AppendUint32(nil, 60_000)
	header = binary.BigEndian.AppendUint32(header, 60_000)
	header = append(header, 8, 0, 0, 0, 0) // depth, grey, deflate, filter, no interlace
	bomb := append([]byte("\x89PNG\r\n\x1a\n"), pngChunk("IHDR", header)...)
	bomb = append(bomb, pngChunk("IDAT", []byte("\x78\x9c\x03\x00\x00\x00\x00\x01"))...)
	return append(bomb, pngChunk("IEND", nil)...)
}

// TruncatedJPEG returns the first two thirds of a JPEG of about 10 KB: as an
// upload that broke off leaves it.
func TruncatedJPEG() []byte {
	whole := JPEG(1, 10_000)
	return whole[: len(whole)*2/3 : len(whole)*2/3]
}

// noise returns a square of about pixels grey pixels, at least one.
func noise(seed uint64, pixels int) *image.Gray {
	side := max(1, int(math.Sqrt(float64(max(0, pixels)))))
	picture := image.NewGray(image.Rect(0, 0, side, side))
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	rand.NewChaCha8(key).Read(picture.Pix)
	return picture
}

func encodeJPEG(picture image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: 80}); err != nil {
		panic(err) // of a picture of ours into memory: cannot happen
	}
	return b.Bytes()
}

func encodePNG(picture image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		panic(err) // as above
	}
	return b.Bytes()
}

// padJPEG puts comments behind the SOI marker until the picture has size bytes.
func padJPEG(picture []byte, size int) []byte {
	const (
		header  = 4 // marker and length
		largest = 2 + math.MaxUint16
	)
	padded := picture[:2:2]
	for missing := size - len(picture); missing >= header; {
		n := min(missing, largest)
		if rest := missing - n; rest > 0 && rest < header {
			n -= header
		}
		padded = append(padded, 0xff, 0xfe)
		padded = binary.BigEndian.AppendUint16(padded, uint16(n-2))
		padded = append(padded, make([]byte, n-header)...)
		missing -= n
	}
	return append(padded, picture[2:]...)
}

func pngChunk(kind string, data []byte) []byte {
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	chunk = append(append(chunk, kind...), data...)
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
}
