package ops

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoggerHidesSecretsAndBytes(t *testing.T) {
	header := http.Header{"X-Api-Key": {"hunter2"}}
	address := &url.URL{Scheme: "https", Host: "vendor.example", User: url.UserPassword("u", "hunter2")}
	type jpeg []byte
	for _, tc := range []struct {
		key   string
		value any
		want  any // in JSON
	}{
		{"api_key", "hunter2", redacted},
		{"X-Api-Key", "hunter2", redacted},
		{"apiKey", "hunter2", redacted},
		{"Authorization", "Bearer hunter2", redacted},
		{"access_token", "hunter2", redacted},
		{"kafka.sasl.password", "hunter2", redacted},
		{"client_secret", []string{"hunter2"}, redacted},
		{"set-cookie", errors.New("hunter2"), redacted},
		{"secret", slog.GroupValue(slog.String("value", "hunter2")), map[string]any{"value": redacted}},
		{"header", header, redacted},
		{"request", &http.Request{Header: header}, redacted},
		{"response", &http.Response{Header: header}, redacted},
		{"form", url.Values{"key": {"hunter2"}}, redacted},
		{"address", address, "https://u:xxxxx@vendor.example"},
		{"selfie", []byte("hunter2"), "[7 bytes]"},
		{"selfie", jpeg("hunter2"), "[7 bytes]"},
		{"sum", [4]byte{}, "[4 bytes]"},
		{"body", json.RawMessage(`"hunter2"`), "[9 bytes]"},
		{"g", slog.GroupValue(slog.Any("selfie", []byte("hunter2"))), map[string]any{"selfie": "[7 bytes]"}},

		{"max_tokens", 3, 3.0},
		{"token_age", time.Second, 1e9},
		{"password_set", true, true},
		{"api_key_file", "/run/secrets/argos", "/run/secrets/argos"},
		{"token_url", "https://x", "https://x"},
		{"request_id", "r1", "r1"},
		{"error", errors.New("timeout"), "timeout"},
		{"nothing", nil, nil},
	} {
		var lines, text bytes.Buffer
		NewLogger(&lines, slog.LevelInfo, "json").LogAttrs(t.Context(), slog.LevelInfo, "m", slog.Any(tc.key, tc.value))
		NewLogger(&text, slog.LevelInfo, "text").LogAttrs(t.Context(), slog.LevelInfo, "m", slog.Any(tc.key, tc.value))
		if both := lines.String() + text.String(); strings.Contains(both, "hunter2") {
			t.Errorf("%s is shown: %s", tc.key, both)
		}
		var record map[string]any
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, record[tc.key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.key, diff)
		}
	}
}

func TestLoggerKeepsToItsLevelAndFormat(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(&out, slog.LevelWarn, "text").With("vendor", "argos")
	log.Info("quiet")
	log.Warn("loud")
	if got := out.String(); !strings.Contains(got, "level=WARN msg=loud vendor=argos") || strings.Contains(got, "quiet") {
		t.Errorf("got %s", got)
	}
}

func TestLoggerIsAGoodHandler(t *testing.T) {
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return NewLogger(&out, slog.LevelInfo, "json").Handler()
	}, func(t *testing.T) map[string]any {
		var record map[string]any
		if err := json.Unmarshal(out.Bytes(), &record); err != nil {
			t.Fatal(err)
		}
		return record
	})
}

func BenchmarkLogger(b *testing.B) {
	log := NewLogger(io.Discard, slog.LevelInfo, "json")
	b.ReportAllocs()
	for b.Loop() {
		log.LogAttrs(b.Context(), slog.LevelInfo, "answered", slog.String("request_id", "r"), slog.Int("partition", 3),
			slog.Int64("offset", 17), slog.String("vendor", "argos"), slog.Int("attempt", 1), slog.String("reason", "none"))
	}
}
