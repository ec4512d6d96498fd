package s3sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"path"
	"strings"
	"sync"

	"reauth/internal/storage/storagetest"
)

// pictures makes the objects behind scripted keys. Only the picture of each
// size and format is kept; what tells two keys apart is a mark of some 170
// bytes put into a copy. See NameIn for what it says.
type pictures struct {
	mu   sync.Mutex
	made map[form][]byte
}

func newPictures() *pictures { return &pictures{made: map[form][]byte{}} }

// object returns the bytes and the content type of a key, false when the script
// says that there is no such object.
func (p *pictures) object(key string) (body []byte, contentType string, ok bool) {
	script := ParseScript(key)
	contentType = "image/jpeg"
	if script.form.png {
		contentType = "image/png"
	}
	switch script.Fault {
	case Missing:
		return nil, "", false
	case NotImage:
		body = []byte("This is a letter, not a picture: " + key + "\n")
	case Empty:
	case PNGBomb:
		body = storagetest.PNGBomb()
	case Truncated:
		whole := p.picture(script.form, key)
		body = whole[:len(whole)*2/3]
	case Huge:
		body = append(p.picture(script.form, key), make([]byte, hugeBytes)...)[:hugeBytes]
	default:
		body = p.picture(script.form, key)
	}
	return body, contentType, true
}

// picture returns a new copy of the picture of a form, of exactly f.kB times
// 1,000 bytes, marked with key.
func (p *pictures) picture(f form, key string) []byte {
	mark := markText(key)
	if f.png {
		mark = pngMark(mark)
	} else {
		mark = jpegMark(mark)
	}
	base := p.base(f, f.kB*1000-len(mark))
	// Right after SOI in a JPEG, right before IEND in a PNG.
	at := len("\xff\xd8")
	if f.png {
		at = bytes.LastIndex(base, []byte("IEND")) - len("size")
	}
	marked := make([]byte, 0, len(base)+len(mark))
	return append(append(append(marked, base[:at]...), mark...), base[at:]...)
}

func (p *pictures) base(f form, size int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made[f] == nil {
		if f.png {
			p.made[f] = storagetest.PNG(uint64(f.kB), size)
		} else {
			p.made[f] = storagetest.JPEG(uint64(f.kB), size)
		}
	}
	return p.made[f]
}

// A mark is the key's digest, a blank, and as much of the key's last segment as
// has room, always of the same length: the picture around it has room for one.
const (
	digestChars = 2 * sha256.Size
	nameChars   = 96
)

func markText(key string) []byte {
	digest := sha256.Sum256([]byte(key))
	name := path.Base(key)
	name = name[:min(nameChars, len(name))]
	return fmt.Appendf(nil, "%x %s%s", digest, name, strings.Repeat(" ", nameChars-len(name)))
}

// NameIn returns the name that a scripted picture bears: the last segment of the
// key that it was made for, at most 96 bytes of it. A simulated vendor reads from
// it whose face it is to see. Empty for any other picture.
func NameIn(picture []byte) string {
	text, ok := bytes.CutPrefix(picture, []byte("\xff\xd8\xff\xfe"))
	if !ok {
		_, text, ok = bytes.Cut(picture, []byte(pngComment))
	} else if len(text) >= 2 {
		text = text[2:] // the segment's length
	}
	if !ok || len(text) < digestChars+1+nameChars || text[digestChars] != ' ' {
		return ""
	}
	if _, err := hex.DecodeString(string(text[:digestChars])); err != nil {
		return ""
	}
	return strings.TrimRight(string(text[digestChars+1:digestChars+1+nameChars]), " ")
}

// jpegMark is a comment segment.
func jpegMark(text []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte("\xff\xfe"), uint16(2+len(text))), text...)
}

const pngComment = "tEXtComment\x00"

// pngMark is a tEXt chunk.
func pngMark(text []byte) []byte {
	typed := append([]byte(pngComment), text...)
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(typed)-len("tEXt"))), typed...)
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(typed))
}
