package checkoutsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// The assets of an attempt.
const (
	faceImage = "face_image"
	faceVideo = "face_video"
)

// fileLife is how long a signed URL is good: the vendor's samples have an hour.
const fileLife = time.Hour

// fileURL is the address of an asset, for fileLife.
func (s *Simulator) fileURL(at *attempt, name string) string {
	path := "/files/" + at.id + "/" + name
	expires := strconv.FormatInt(time.Now().Add(fileLife).Unix(), 10)
	return at.of.base + path + "?expires=" + expires + "&signature=" + s.signFile(path, expires)
}

func (s *Simulator) signFile(path, expires string) string {
	mac := hmac.New(sha256.New, s.fileKey)
	mac.Write([]byte(path + " " + expires))
	return hex.EncodeToString(mac.Sum(nil))
}

// Picture returns the face_image of an attempt, nil if there is none: before the
// capture, and once it is anonymized.
func (s *Simulator) Picture(attemptID string) []byte {
	s.books.Lock()
	at := s.attempts[attemptID]
	there := at != nil && at.captured
	s.books.Unlock()
	if !there {
		return nil
	}
	return s.pictureOf(attemptID)
}

// pictureOf is noise, with a comment that tells one attempt's from another's.
func (s *Simulator) pictureOf(attemptID string) []byte {
	const start = "\xff\xd8" // of a JPEG
	picture := append([]byte(start), "\xff\xfe"...)
	picture = binary.BigEndian.AppendUint16(picture, uint16(2+len(attemptID)))
	picture = append(picture, attemptID...)
	return append(picture, s.picture[len(start):]...)
}

// file is GET /files/{fatp}/{name}. As where the vendor's files are, a request that
// is signed and brings credentials besides is refused.
func (s *Simulator) file(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		s.count(func(st *Stats) { st.FilesWithCredentials++ })
		plain(w, http.StatusBadRequest)
		return
	}
	query := r.URL.Query()
	expires, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	signature := s.signFile(r.URL.Path, query.Get("expires"))
	if err != nil || time.Now().Unix() >= expires || !hmac.Equal([]byte(signature), []byte(query.Get("signature"))) {
		plain(w, http.StatusForbidden)
		return
	}
	s.books.Lock()
	at := s.attempts[r.PathValue("fatp")]
	there := at != nil && at.captured
	s.books.Unlock()
	switch name := r.PathValue("name"); {
	case !there:
		plain(w, http.StatusNotFound)
	case name == faceImage:
		s.count(func(st *Stats) { st.Pictures++ })
		w.Header().Set("Content-Type", "image/jpeg")
		w.Write(s.pictureOf(at.id))
	default:
		w.Header().Set("Content-Type", "video/mp4")
		w.Write([]byte("\x00\x00\x00\x10ftypisom\x00\x00\x02\x00")) // a film of nothing
	}
}
