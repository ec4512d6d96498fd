package argos

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// errUnreadable stands for every JSON error: those of encoding/json quote their
// input.
var errUnreadable = errors.New("answer is not a JSON object with distinct names")

// object is a JSON object read leniently: by lower-case name, values not yet
// looked at.
type object map[string]json.RawMessage

// parseObject reads one object and nothing after it. A name that occurs twice,
// in any letter case, makes it unreadable: encoding/json would take the last
// of two verdicts.
func parseObject(b []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errUnreadable
	}
	o := object{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errUnreadable
		}
		name = strings.ToLower(name)
		if _, twice := o[name]; twice {
			return nil, errUnreadable
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errUnreadable
		}
		o[name] = value
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return nil, errUnreadable
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errUnreadable
	}
	return o, nil
}

// text returns the first of names that holds a string or a number, "" when none
// does.
func (o object) text(names ...string) string {
	for _, name := range names {
		if s := text(o[name]); s != "" {
			return s
		}
	}
	return ""
}

func text(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "" // most names that are looked for; encoding/json would make an error for each
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return strings.TrimSpace(s)
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// list returns the texts of an array, or of one text in place of it. present
// says that there is anything at all, readable or not.
func (o object) list(name string) (texts []string, present bool) {
	raw := bytes.TrimSpace(o[name])
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, false
	}
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		s := text(raw)
		return []string{s}, s != "" || raw[0] != '"'
	}
	for _, e := range elements {
		texts = append(texts, text(e))
	}
	return texts, len(elements) > 0
}

// child returns the object called name, nil when there is none.
func (o object) child(name string) object {
	c, err := parseObject(o[name])
	if err != nil {
		return nil
	}
	return c
}

// number returns a finite number, also one written as a string.
func (o object) number(name string) (float64, bool) {
	n, err := strconv.ParseFloat(o.text(name), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, false
	}
	return n, true
}

// time returns an ISO 8601 time, zero when there is none that can be read. One
// without a zone is UTC, as the vendor documents all its times to be.
func (o object) time(name string) time.Time { return parseTime(o.text(name)) }

func parseTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
