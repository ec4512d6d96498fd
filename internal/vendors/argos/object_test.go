package argos

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/vendors/vendortest"
)

func TestObjectsAreReadOrNot(t *testing.T) {
	many := func(last string) string {
		var b strings.Builder
		for i := range 100 {
			b.WriteString(`"n` + strconv.Itoa(i) + `":1,`)
		}
		return "{" + b.String() + `"` + last + `":2}`
	}
	for in, want := range map[string]bool{
		`{}`:                           true,
		" {\n\"a\" : [1, {\"a\":2}] }": true,
		`{"a":1,"b":"}"}`:              true,
		`{"a":"\\","b":"\""}`:          true,
		many("n100"):                   true,
		many("N7"):                     false,
		``:                             false,
		`null`:                         false,
		`[]`:                           false,
		`{"a":1}{`:                     false,
		`{"a":1} {"a":1}`:              false,
		`{"a":1,}`:                     false,
		`{"a":01}`:                     false,
		`{"a":1,"A":2}`:                false,
		`{"a":1,"\u0061":2}`:           false,
		`{"k":1,"` + "\u212a" + `":2}`: false, // the Kelvin sign is a K
	} {
		if _, err := parseObject([]byte(in)); (err == nil) != want {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// FuzzObject holds the walk over valid JSON against encoding/json's decoder.
func FuzzObject(f *testing.F) {
	for _, name := range []string{"approved.json", "rejected.json", "error_code.json", "list_flat.json"} {
		f.Add([]byte(vendortest.Golden(f, name)))
	}
	for _, s := range []string{`{"a":"\\\"","B":[{"c":[]}],"\u0041x":-1.5e3 , "d":true}`, `{"a":1,"A":2}`, "{\"\xff\":\"\xff\"}", `{"a":nul}`, `{"a":" x\t"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want, wantErr := decoded(b)
		got, err := parseObject(b)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, encoding/json's %v", b, err, wantErr)
		}
		texts := map[string]string{}
		for _, m := range got {
			texts[string(m.name)] = text(m.value)
		}
		if diff := cmp.Diff(want, texts); err == nil && diff != "" {
			t.Errorf("%q: %s", b, diff)
		}
	})
}

// decoded is parseObject, and text of each value, by encoding/json.
func decoded(b []byte) (map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errUnreadable
	}
	texts := map[string]string{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		name = strings.ToLower(name)
		var value json.RawMessage
		if _, twice := texts[name]; err != nil || !ok || twice || d.Decode(&value) != nil {
			return nil, errUnreadable
		}
		var s string
		var n json.Number
		if json.Unmarshal(value, &s) == nil {
			texts[name] = strings.TrimSpace(s)
		} else if json.Unmarshal(value, &n) == nil {
			texts[name] = n.String()
		} else {
			texts[name] = ""
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errUnreadable
	}
	return texts, nil
}
