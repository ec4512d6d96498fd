package argossim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
)

// form is the body of POST /faceauth, without the picture's bytes.
type form struct {
	submissionID  string
	userID        string
	cf1, cf2, cf3 string
	picture       *picture
}

// picture is what is kept of an image that went by.
type picture struct {
	bytes  int64
	sha256 string
	// whole says that it begins and ends as a JPEG or PNG does.
	whole bool
}

// How reading a form can end without one.
var (
	errTooLarge  = errors.New("body too large")
	errAbandoned = errors.New("body ends early")
	errMalformed = errors.New("body is not the expected form")
	errNotBinary = errors.New("body carries the picture as text")
)

// maxFieldBytes bounds a text part; none is published.
const maxFieldBytes = 4 << 10

// readForm reads the whole body as it arrives, holding no more than one
// buffer of it. Its errors are those above.
func readForm(w http.ResponseWriter, r *http.Request, maxBytes int64) (form, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBytes)
	parts, err := r.MultipartReader()
	if err != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return form{}, readError(err)
		}
		if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType == "application/json" {
			return form{}, errNotBinary
		}
		return form{}, errMalformed
	}
	var f form
	seen := map[string]bool{}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return form{}, readError(err)
		}
		if seen[part.FormName()] {
			return form{}, errMalformed
		}
		seen[part.FormName()] = true
		if err := f.read(part); err != nil {
			return form{}, readError(err)
		}
	}
}

// read takes one part. A faceImage without a file name is a text field to the
// usual form parsers, so it is no picture.
func (f *form) read(part *multipart.Part) error {
	fields := map[string]*string{
		"submissionId": &f.submissionID, "userId": &f.userID, "cf1": &f.cf1, "cf2": &f.cf2, "cf3": &f.cf3,
	}
	if field := fields[part.FormName()]; field != nil {
		text, err := io.ReadAll(io.LimitReader(part, maxFieldBytes+1))
		if len(text) > maxFieldBytes {
			return errMalformed
		}
		*field = string(text)
		return err
	}
	if part.FormName() != "faceImage" || part.FileName() == "" {
		_, err := io.Copy(io.Discard, part)
		return err
	}
	p, err := inspect(part)
	f.picture = p
	return err
}

// readError sorts what went wrong with reading a body.
func readError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case errors.Is(err, errMalformed):
		return errMalformed
	default:
		// A caller that leaves looks like a form that stops in the middle,
		// and is not there to read the difference.
		return errAbandoned
	}
}

// tailBytes is how far from the end of a file its end mark may be.
const tailBytes = 64

// inspect reads a picture to its end and keeps its measure.
func inspect(r io.Reader) (*picture, error) {
	digest := sha256.New()
	var head, tail []byte
	p := &picture{}
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Read(buffer)
		chunk := buffer[:n]
		digest.Write(chunk)
		p.bytes += int64(n)
		if missing := 8 - len(head); missing > 0 {
			head = append(head, chunk[:min(missing, n)]...)
		}
		tail = append(tail, chunk[max(0, n-tailBytes):]...)
		tail = tail[max(0, len(tail)-tailBytes):]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	p.sha256 = hex.EncodeToString(digest.Sum(nil))
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		p.whole = bytes.Contains(tail, []byte("\xff\xd9"))
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		p.whole = bytes.Contains(tail, []byte("IEND"))
	}
	return p, nil
}
