package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const hidden = "sk_hunter2"

// TestSecretIsNeverPrinted prints a secret, and what it is part of, in every
// form there is.
func TestSecretIsNeverPrinted(t *testing.T) {
	fromFile, err := SecretFromFile(write(t, hidden+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for origin, s := range map[string]Secret{"value": NewSecret(hidden), "file": fromFile} {
		c := valid()
		c.Vendors.Argos.APIKey = s
		type private struct{ secret Secret }
		for _, v := range []any{s, &s, c, &c, []Secret{s}, map[string]Secret{"k": s}, map[string]any{"k": c}, private{s}, &private{s}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%08.3f", "% x", "%p"} {
				refuse(t, origin+" "+verb, fmt.Sprintf(verb, v))
			}
			if b, err := json.Marshal(v); err == nil {
				refuse(t, origin+" JSON", string(b))
			}
			if b, err := yaml.Marshal(v); err == nil {
				refuse(t, origin+" YAML", string(b))
			}
			var text, lines bytes.Buffer
			slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
			slog.New(slog.NewJSONHandler(&lines, nil)).Info("m", "v", v)
			refuse(t, origin+" text log", text.String())
			refuse(t, origin+" JSON log", lines.String())
		}
		refuse(t, origin+" error", fmt.Errorf("with %v: %w", s, errors.New("x")).Error())
	}
}

func refuse(t *testing.T, form, printed string) {
	t.Helper()
	for _, shape := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden), fmt.Sprintf("% x", hidden)} {
		if strings.Contains(printed, shape) {
			t.Errorf("%s shows the secret: %s", form, printed)
		}
	}
}

func TestSecretSaysThatItIsThere(t *testing.T) {
	for want, s := range map[string]Secret{"[redacted]": NewSecret(hidden), "[not set]": {}} {
		j, _ := json.Marshal(s)
		y, _ := yaml.Marshal(s)
		text, _ := s.MarshalText()
		got := []string{s.String(), s.GoString(), fmt.Sprintf("%s %q %#v", s, s, s), string(j), string(bytes.TrimSpace(y)),
			string(text), s.LogValue().String()}
		yamlWant := "'" + want + "'"
		if diff := cmp.Diff([]string{want, want, want + " " + want + " " + want, `"` + want + `"`, yamlWant, want, want}, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestSecretReveals(t *testing.T) {
	if got, err := NewSecret(hidden).Current(); got != hidden || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	var none Secret
	if got, err := none.Current(); got != "" || !errors.Is(err, ErrNotSet) {
		t.Errorf("got %q, %v", got, err)
	}
	if none.IsSet() || none.Reveal() != "" || none.Err() != nil || NewSecret("").IsSet() {
		t.Error("the zero value is not unset")
	}
}

// TestRewrittenFileTakesEffect rewrites a secret's file in place, by renaming,
// and badly.
func TestRewrittenFileTakesEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := write(t, "first\r\n")
		s, err := SecretFromFile(path)
		if err != nil {
			t.Fatal(err)
		}
		reveal := s.Reveal // what a vendor keeps
		step := func(name, want string, wantErr bool) {
			t.Helper()
			if got := reveal(); got != want || (s.Err() != nil) != wantErr {
				t.Errorf("%s: got %q, %v", name, got, s.Err())
			}
		}
		step("at first", "first", false)

		must(t, os.WriteFile(path, []byte("second"), 0o600))
		step("within the second", "first", false)
		time.Sleep(rereadEvery)
		step("rewritten in place", "second", false)

		next := filepath.Join(t.TempDir(), "next")
		must(t, os.WriteFile(next, []byte("third\n"), 0o600))
		must(t, os.Rename(next, path))
		time.Sleep(rereadEvery)
		step("renamed over", "third", false)

		for name, content := range map[string]string{"empty": "\n", "two lines": "a\nb", "too large": strings.Repeat("x", 65<<10)} {
			must(t, os.WriteFile(path, []byte(content), 0o600))
			time.Sleep(rereadEvery)
			step(name, "third", true)
		}
		must(t, os.Remove(path))
		time.Sleep(rereadEvery)
		step("removed", "third", true)

		must(t, os.WriteFile(path, []byte("fourth"), 0o600))
		time.Sleep(rereadEvery)
		step("back again", "fourth", false)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSecretFromFileSetting(t *testing.T) {
	path := write(t, hidden+"\n")
	src := source(t, "vendors: {argos: {api_key_file: "+path+"}}\n")
	src.Environ = nil
	if got := load(t, src).Vendors.Argos.APIKey.Reveal(); got != hidden {
		t.Errorf("got %q", got)
	}
	src = source(t, "")
	src.Environ = []string{"REAUTH_VENDORS__ARGOS__API_KEY_FILE=" + path}
	if got := load(t, src).Vendors.Argos.APIKey.Reveal(); got != hidden {
		t.Errorf("got %q", got)
	}
}

func TestEmptySecretCountsAsAbsent(t *testing.T) {
	src := source(t, "vendors: {argos: {api_key: '', api_key_file: ''}}\n")
	if got := load(t, src).Vendors.Argos.APIKey.Reveal(); got != "k" {
		t.Errorf("got %q", got)
	}
}

func TestSecretFaultsQuoteNothing(t *testing.T) {
	const give = "; give visible ASCII without spaces, as the vendor issued it"
	for _, tc := range []struct{ name, key, value, want string }{
		{"key and file", "api_key_file", write(t, hidden), "both this and vendors.argos.api_key are given; keep one of the two"},
		{"key with a line end", "api_key", hidden + "\n", "the value is not accepted" + give},
		{"key with a space", "api_key", hidden + " x", "the value is not accepted" + give},
		{"absent file", "api_key_file", "/" + hidden, "the file cannot be used: no such file or directory; give the path of a file that holds the value and nothing else"},
		{"folder", "api_key_file", t.TempDir(), "the file cannot be used: is a directory; give the path of a file that holds the value and nothing else"},
		{"empty file", "api_key_file", write(t, "\n"), "the file cannot be used: holds nothing; give the path of a file that holds the value and nothing else"},
		{"two lines in the file", "api_key_file", write(t, hidden+"\n"+hidden), "the file cannot be used: holds a line end or another control character; give the path of a file that holds the value and nothing else"},
		{"words in the file", "api_key_file", write(t, "my "+hidden), "the file's value is not accepted; give a file that holds visible ASCII without spaces, as the vendor issued it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := source(t, "")
			variable := "REAUTH_VENDORS__ARGOS__" + strings.ToUpper(tc.key)
			if tc.name != "key and file" {
				src.Environ = nil
			}
			src.Environ = append(src.Environ, variable+"="+tc.value)
			_, err := Load(src)
			want := []string{variable + ": vendors.argos." + tc.key + ": " + tc.want}
			if diff := cmp.Diff(want, faultsOf(t, src, err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			refuse(t, "fault", err.Error())
		})
	}
}
