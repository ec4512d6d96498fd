package campaign

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// namespace is the UUID namespace of generated request ids. A change of it
// would make every repeated publication a new, paid one.
var namespace = uuid.MustParse("a3d6f0be-94c1-5f0e-8a0b-5f1c7d2e6b48")

// generatedID returns the request id of a row that has none: a UUID (version 5)
// over campaign, row number and what the row says. So a manifest that is
// published again under the same campaign asks for nothing new; a second
// manifest under the same campaign, or a row that was corrected, does.
func generatedID(campaign string, number int, f fields) string {
	name := append([]byte(campaign+"/"+strconv.Itoa(number)+"/"), f.own()...)
	return uuid.NewSHA1(namespace, name).String()
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// CheckID returns an error that says what to do if id cannot be a campaign's.
func CheckID(id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("campaign %q: give 1 to 128 letters, digits and . _ : -", id)
	}
	return nil
}

// CheckRequestID returns an error that says what to do if id cannot be a
// request's.
func CheckRequestID(id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("request %q: give 1 to 128 letters, digits and . _ : -", id)
	}
	return nil
}

const (
	// defaultNameBytes bounds what a default id takes of the file's name.
	defaultNameBytes = 80
	// defaultHashBytes of the content's SHA-256 tell manifests of one name
	// apart.
	defaultHashBytes = 6
)

var notInID = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// DefaultID returns the campaign of a manifest that was given none: the file's
// name without its extension, and the first 12 hexadecimal digits of the
// content's SHA-256. The same file always gets the same one.
func DefaultID(file string, content io.Reader) (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, content); err != nil {
		return "", fmt.Errorf("reading the manifest for its campaign id: %w", err)
	}
	name := filepath.Base(file)
	name = strings.TrimSuffix(name, filepath.Ext(name))
	name = strings.Trim(notInID.ReplaceAllString(name, "-"), "-.")
	if len(name) > defaultNameBytes {
		name = name[:defaultNameBytes]
	}
	if name == "" {
		name = "manifest"
	}
	return name + "-" + hex.EncodeToString(hash.Sum(nil)[:defaultHashBytes]), nil
}

// key stands for a request in memory: the beginning of a SHA-256, so that two
// of a million requests share one with a probability of 10^-27.
type key [16]byte

func keyOf(requestID string) key { return newKey("id/" + requestID) }

func newKey(text string) key {
	sum := sha256.Sum256([]byte(text))
	return key(sum[:len(key{})])
}
