package s3sim

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"

	"github.com/johannesboyne/gofakes3"
)

// Checksum is what kind of SHA-256 objects were uploaded with.
type Checksum string

// The kinds of checksums. That of an object put in parts is over the digests of
// its parts.
const (
	NoChecksum    Checksum = ""
	ChecksumWhole Checksum = "whole"
	ChecksumParts Checksum = "parts"
)

func (c Checksum) validate() error {
	switch c {
	case NoChecksum, ChecksumWhole, ChecksumParts:
		return nil
	}
	return fmt.Errorf("checksum must be empty, %q or %q, is %q", ChecksumWhole, ChecksumParts, c)
}

// versionOf returns a version of an object, the current one if id is empty.
func (b *backend) versionOf(p objectPath, id gofakes3.VersionID) (*gofakes3.Object, error) {
	if id == "" {
		return b.GetObject(p.bucket, p.key, nil)
	}
	return b.getVersion(p, id, nil)
}

// describeChecksum adds the headers of an object's checksum, if the request asks
// for it.
func (b *backend) describeChecksum(h http.Header, kind Checksum, r *http.Request) {
	if kind == NoChecksum || r.Header.Get("X-Amz-Checksum-Mode") != "ENABLED" {
		return
	}
	object, err := b.versionOf(askedFor(r))
	if err != nil || object.IsDeleteMarker {
		return
	}
	defer object.Contents.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, object.Contents); err != nil {
		panic(err) // a bug: objects are in memory
	}
	sum := digest.Sum(nil)
	if kind == ChecksumParts {
		of := sha256.Sum256(sum)
		h.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(of[:])+"-1")
		h.Set("X-Amz-Checksum-Type", "COMPOSITE")
		return
	}
	h.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(sum))
	h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
}
