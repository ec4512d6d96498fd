package rekognitionsim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"reauth/internal/sandbox/s3sim"
)

// picture is what is kept of an image that went by.
type picture struct {
	bytes  int
	sha256 string
	script Script
	// whole says that it begins and ends as a JPEG or PNG does.
	whole bool
}

// tailBytes is how far from the end of a file its end mark may be.
const tailBytes = 64

func inspect(image []byte) picture {
	digest := sha256.Sum256(image)
	tail := image[max(0, len(image)-tailBytes):]
	jpeg := bytes.HasPrefix(image, []byte("\xff\xd8\xff")) && bytes.Contains(tail, []byte("\xff\xd9"))
	png := bytes.HasPrefix(image, []byte("\x89PNG\r\n\x1a\n")) && bytes.Contains(tail, []byte("IEND"))
	p := picture{
		bytes:  len(image),
		sha256: hex.EncodeToString(digest[:]),
		script: ParseScript(s3sim.NameIn(image)),
		whole:  jpeg || png,
	}
	if p.script.Person == "" {
		p.script.Person = "picture " + p.sha256
	}
	return p
}

// face is one that was found in a picture.
type face struct {
	person string
	alike  float64
	dim    bool
}

// faces returns those that a quality filter lets through, the largest first.
func (p picture) faces(filter string) []face {
	if p.script.NoFace {
		return nil
	}
	all := []face{{p.script.Person, p.script.Alike, p.script.Dim}}
	if p.script.Two {
		all = append(all, face{"not " + p.script.Person, Alike, false})
	}
	kept := all[:0]
	for _, f := range all {
		if !f.dim || filter == "" || filter == "NONE" {
			kept = append(kept, f)
		}
	}
	return kept
}

// similarity of a face to that of a reference.
func (f face) similarity(reference face) float64 {
	if f.person != reference.person {
		return Unlike
	}
	return min(f.alike, reference.alike)
}
