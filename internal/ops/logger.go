package ops

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
)

// NewLogger returns a logger that writes a line for each record of level and
// above to w: as text for people when format is "text", as JSON otherwise.
//
// It has a safety net below the rule that no secret and no image is handed to
// a logger: attributes named like a secret are redacted, bytes are replaced by
// their number, and HTTP messages, whose headers carry keys, by a stand-in.
// Nothing may rely on it.
func NewLogger(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: redact}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

const redacted = "[redacted]"

// redact is slog's ReplaceAttr: it is called with each attribute that is not a
// group, its value resolved, and the groups that it is in.
func redact(groups []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString, slog.KindAny:
	default:
		// Numbers, times and the like: max_tokens is not a secret.
		return a
	}
	if namesSecret(a.Key) {
		return slog.String(a.Key, redacted)
	}
	for _, g := range groups {
		if namesSecret(g) {
			return slog.String(a.Key, redacted)
		}
	}
	if a.Value.Kind() == slog.KindAny {
		if stand, ok := standIn(a.Value.Any()); ok {
			return slog.String(a.Key, stand)
		}
	}
	return a
}

// secretNames are looked for in keys without case, "_", "-" and ".".
var secretNames = []string{
	"apikey", "authorization", "cookie", "credential", "passphrase", "password", "passwd",
	"privatekey", "secret", "signaturekey", "token",
}

// separators are taken out of keys before they are looked at.
var separators = strings.NewReplacer("_", "", "-", "", ".", "")

// namesSecret tells whether key sounds like a secret. Where one is kept, or
// issued, is none.
func namesSecret(key string) bool {
	key = separators.Replace(strings.ToLower(key))
	if strings.HasSuffix(key, "file") || strings.HasSuffix(key, "url") {
		return false
	}
	for _, name := range secretNames {
		if strings.Contains(key, name) {
			return true
		}
	}
	return false
}

// standIn returns what to log instead of v, if v must not be logged as it is.
func standIn(v any) (string, bool) {
	switch v := v.(type) {
	case http.Header, url.Values, *http.Request, *http.Response:
		return redacted, true
	case *url.URL:
		return v.Redacted(), true
	case fmt.Stringer, error:
		return "", false
	}
	if t := reflect.TypeOf(v); t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) &&
		t.Elem().Kind() == reflect.Uint8 {
		return fmt.Sprintf("[%d bytes]", reflect.ValueOf(v).Len()), true
	}
	return "", false
}
