package facekisim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"

	"reauth/internal/sandbox/s3sim"
)

// picture is what is kept of an image that went by.
type picture struct {
	bytes  int
	sha256 string
	// name is what s3sim wrote into it, "" for one that is not from there.
	name string
	// whole says that it begins and ends as a JPEG or PNG does.
	whole bool
}

// How reading a form can end without a picture.
var (
	errTooLarge = errors.New("body too large")
	errNoImage  = errors.New("no picture in the body")
)

// readPicture reads the whole body and returns its picture: the file called
// part, for any other part, and text in place of a file, is none.
func readPicture(w http.ResponseWriter, r *http.Request, part string, maxBytes int64) (*picture, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBytes)
	parts, err := r.MultipartReader()
	if err != nil {
		_, err := io.Copy(io.Discard, r.Body)
		return nil, noImage(err)
	}
	var found *picture
	for {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			if found == nil {
				return nil, errNoImage
			}
			return found, nil
		}
		if err != nil {
			return nil, noImage(err)
		}
		image, err := io.ReadAll(p)
		if err != nil {
			return nil, noImage(err)
		}
		if p.FormName() == part && p.FileName() != "" && len(image) > 0 {
			found = inspect(image)
		}
	}
}

// noImage sorts what went wrong with reading a body.
func noImage(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge
	}
	return errNoImage
}

// tailBytes is how far from the end of a file its end mark may be.
const tailBytes = 64

func inspect(image []byte) *picture {
	digest := sha256.Sum256(image)
	tail := image[max(0, len(image)-tailBytes):]
	jpeg := bytes.HasPrefix(image, []byte("\xff\xd8\xff")) && bytes.Contains(tail, []byte("\xff\xd9"))
	png := bytes.HasPrefix(image, []byte("\x89PNG\r\n\x1a\n")) && bytes.Contains(tail, []byte("IEND"))
	return &picture{
		bytes:  len(image),
		sha256: hex.EncodeToString(digest[:]),
		name:   s3sim.NameIn(image),
		whole:  jpeg || png,
	}
}
