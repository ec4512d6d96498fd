package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Secret is a value that must not be seen: a key, a password. It prints,
// marshals and logs as redacted in every form; [Secret.Reveal] alone gives the
// value. The zero value is a secret that is not set. Copies share the value,
// and any number of goroutines may use them.
type Secret struct {
	// read is a closure, so that printers which walk through unexported
	// fields by reflection meet a function and not the value.
	read func() (string, error)
}

// ErrNotSet is the error of a secret without a value.
var ErrNotSet = errors.New("the secret is not set")

// rereadEvery is how often, at most, a secret's file is read again.
const rereadEvery = time.Second

// maxSecretBytes bounds what is read from a secret's file.
const maxSecretBytes = 64 * KiB

// NewSecret returns a secret with a fixed value; an empty one is not set.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{read: func() (string, error) { return value, nil }}
}

// SecretFromFile returns a secret that is the content of the file at path
// without the line ends at its end. Whoever asks for the value gets the
// content of at most a second ago, so a rewritten file takes effect without a
// restart. The content must be 1 byte to 64 KiB of text on one line; an
// error quotes the path and never the content.
func SecretFromFile(path string) (Secret, error) {
	f := &secretFile{path: path}
	value, err := f.load()
	if err != nil {
		return Secret{}, err
	}
	f.value, f.readAt = value, time.Now()
	return Secret{read: f.current}, nil
}

// IsSet tells whether there is a value.
func (s Secret) IsSet() bool { return s.read != nil }

// Reveal returns the value as it is now, empty when the secret is not set. As
// the value of a file may change, callers keep s.Reveal, a func() string, and
// not its result. A file that cannot be read, or does not hold a secret any
// more, leaves the last good value in force; see [Secret.Err].
func (s Secret) Reveal() string {
	if s.read == nil {
		return ""
	}
	value, _ := s.read()
	return value
}

// Current returns what Reveal does, or ErrNotSet. It suits callers that want to
// know whether there is a value; a former value in force is one.
func (s Secret) Current() (string, error) {
	if s.read == nil {
		return "", ErrNotSet
	}
	return s.Reveal(), nil
}

// Err tells why the latest reading of the secret's file left the former value
// in force; nil when it did not, and for a secret without a file.
func (s Secret) Err() error {
	if s.read == nil {
		return nil
	}
	_, err := s.read()
	return err
}

// String returns "[redacted]", or "[not set]".
func (s Secret) String() string {
	if s.IsSet() {
		return "[redacted]"
	}
	return "[not set]"
}

// GoString returns what String does.
func (s Secret) GoString() string { return s.String() }

// Format writes what String returns, whatever the verb and flags.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns what String does; it serves encoding/json, encoding/xml
// and map keys.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON returns what String does as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalYAML returns what String does.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue returns what String does.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// secretFile is a secret that lives in a file.
type secretFile struct {
	path string

	mu     sync.Mutex // guards the rest
	value  string
	err    error // of the latest reading
	readAt time.Time
}

// current returns the value and the fault of the latest reading. The file is
// read rather than compared by its times, because a rewrite can keep both size
// and time, and a hundred bytes once a second cost nothing.
func (f *secretFile) current() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.readAt) < rereadEvery {
		return f.value, f.err
	}
	value, err := f.load()
	f.readAt, f.err = time.Now(), err
	if err == nil {
		f.value = value
	}
	return f.value, err
}

func (f *secretFile) load() (string, error) {
	content, err := readAtMost(f.path, maxSecretBytes)
	value := strings.TrimRight(string(content), "\r\n")
	if err == nil {
		err = checkSecret(value)
	}
	if err != nil {
		return "", fmt.Errorf("reading secret from %s: %w", f.path, err)
	}
	return value, nil
}

// checkSecret refuses what is most often a slip of the clipboard, and would be
// answered as a wrong key: nothing, white space around the value, and line ends
// or other control characters within.
func checkSecret(value string) error {
	switch {
	case value == "":
		return errors.New("holds nothing")
	case strings.ContainsFunc(value, unicode.IsControl):
		return errors.New("holds a line end or another control character")
	case strings.TrimSpace(value) != value:
		return errors.New("begins or ends with a space")
	}
	return nil
}

// anyText is the rule of passwords, which people choose.
var anyText = rule[string]{
	bounds: "one line of text",
	fits:   func(v string) bool { return checkSecret(v) == nil },
}

// issuedKey is the rule of what vendors issue and an HTTP header must carry.
var issuedKey = rule[string]{
	bounds: "visible ASCII without spaces, as the vendor issued it",
	fits:   func(v string) bool { return v != "" && printable(v) },
}

// secret adds a setting called name, and one called name_file for the path of
// a file that holds its value.
func secret(g group, field *Secret, name, doc string, r rule[string]) {
	file := name + "_file"
	g.add(&leaf{
		Setting: Setting{Key: name, Type: "secret", Bounds: r.bounds, Doc: doc, Secret: true},
		set: func(given []string) *misfit {
			if given[0] == "" {
				*field = Secret{}
				return nil
			}
			if !r.fits(given[0]) {
				return &misfit{"the value is not accepted", "give " + r.bounds}
			}
			*field = NewSecret(given[0])
			return nil
		},
		check: func() *misfit { return nil },
	})
	g.add(&leaf{
		Setting: Setting{
			Key: file, Type: "text", Bounds: "the path of a file that can be read",
			Doc: "File that holds " + name + ", instead of giving it here. It may be rewritten while the service runs.",
		},
		set: func(given []string) *misfit {
			if given[0] == "" {
				return nil
			}
			if field.IsSet() {
				return &misfit{"both this and " + g.key(name) + " are given", "keep one of the two"}
			}
			s, err := SecretFromFile(given[0])
			if err != nil {
				// Without the path: it stands where the fault points to, and
				// may be a secret put under the wrong key.
				return &misfit{"the file cannot be used: " + errors.Unwrap(err).Error(),
					"give the path of a file that holds the value and nothing else"}
			}
			if !r.fits(s.Reveal()) {
				return &misfit{"the file's value is not accepted", "give a file that holds " + r.bounds}
			}
			*field = s
			return nil
		},
		check: func() *misfit { return nil },
	})
}
