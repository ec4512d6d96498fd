package rekognition

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"

	"reauth/internal/vendors"
)

// encoded is a selfie as JSON holds it: in base64.
type encoded struct{ vendors.Selfie }

// Size returns the length of the text.
func (e encoded) Size() int64 { return int64(base64.StdEncoding.EncodedLen(int(e.Selfie.Size()))) }

// Reader returns a reader of the text.
func (e encoded) Reader() io.Reader { return &encoder{source: e.Selfie.Reader()} }

// Body returns the text; closing it gives the selfie back.
func (e encoded) Body() io.ReadCloser {
	body := e.Selfie.Body()
	return struct {
		io.Reader
		io.Closer
	}{&encoder{source: body}, body}
}

// pieceBytes is read from a selfie at a time: a multiple of three bytes, which
// are four characters.
const pieceBytes = 3 << 10

// encoder reads the base64 text of what source has, a piece at a time.
type encoder struct {
	source io.Reader
	left   []byte // text that was not taken yet
	raw    [pieceBytes]byte
	text   [pieceBytes / 3 * 4]byte
}

// Read implements io.Reader.
func (e *encoder) Read(p []byte) (int, error) {
	piece, err := e.next()
	n := copy(p, piece)
	e.left = piece[n:]
	return n, err
}

// WriteTo implements io.WriterTo, so that io.Copy needs no buffer.
func (e *encoder) WriteTo(w io.Writer) (written int64, err error) {
	for {
		piece, err := e.next()
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err := w.Write(piece)
		written += int64(n)
		if err != nil {
			return written, err
		}
		e.left = nil
	}
}

// next returns text that was not taken yet, or what ends the text.
func (e *encoder) next() ([]byte, error) {
	if len(e.left) > 0 {
		return e.left, nil
	}
	n, err := io.ReadFull(e.source, e.raw[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // the last piece, which alone may have padding
		return nil, err
	}
	e.left = base64.StdEncoding.AppendEncode(e.text[:0], e.raw[:n])
	return e.left, nil
}

// digest returns the SHA-256, in hexadecimal, of a body with the selfie in it.
// It reads the selfie without taking it, so that neither the text nor a second
// picture is ever held: the signature goes before the body, and S3 is the only
// service that takes an unsigned one or a signature behind it.
func digest(prefix []byte, selfie vendors.Selfie, suffix []byte) (string, error) {
	h := sha256.New()
	h.Write(prefix)
	if _, err := io.Copy(h, selfie.Reader()); err != nil {
		return "", err
	}
	h.Write(suffix)
	return hex.EncodeToString(h.Sum(nil)), nil
}
