package stream

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a string that no print, log or encoder shows. Reveal gives it back.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns a stand-in.
func (s Secret) String() string { return redacted }

// GoString returns a stand-in.
func (s Secret) GoString() string { return redacted }

// Format writes a stand-in, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns a stand-in.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a stand-in, for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
