package argos

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// errUnreadable stands for every JSON error: those of encoding/json quote their
// input.
var errUnreadable = errors.New("answer is not a JSON object with distinct names")

// object is a JSON object read leniently: by lower-case name, values not yet
// looked at. It keeps the text that it was read from.
type object []member

type member struct {
	name  []byte // lower-case
	value json.RawMessage
}

// parseObject reads one object and nothing after it. A name that occurs twice,
// in any letter case, makes it unreadable: encoding/json would take the last
// of two verdicts. encoding/json judges the grammar, so that what follows only has
// to find its way: its Decoder takes a hundred allocations for a verdict.
func parseObject(b []byte) (object, error) {
	b = bytes.Trim(b, blanks)
	if len(b) == 0 || b[0] != '{' || !json.Valid(b) {
		return nil, errUnreadable
	}
	o := make(object, 0, min(16, 1+len(b)/24))
	for rest := next(b[1:]); rest[0] != '}'; rest = next(rest) {
		n := length(rest)
		name := lower(rest[:n])
		rest = next(rest[n:])
		n = length(rest)
		o = append(o, member{name, rest[:n:n]})
		rest = rest[n:]
	}
	if !o.distinct() {
		return nil, errUnreadable
	}
	return o, nil
}

const blanks = " \t\r\n"

// next skips what stands between two tokens of valid JSON.
func next(b []byte) []byte { return bytes.TrimLeft(b, blanks+",:") }

// length returns how long the value is that valid JSON goes on with.
func length(b []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth == 0 { // a number, true, false or null ends where something else begins
				return bytes.IndexAny(b, blanks+",]}")
			}
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
}

// lower returns what a JSON string says, in lower case.
func lower(quoted []byte) []byte {
	plain := quoted[1 : len(quoted)-1]
	for _, c := range plain {
		if c == '\\' || c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			var name string
			_ = json.Unmarshal(quoted, &name) // it is valid
			return []byte(strings.ToLower(name))
		}
	}
	return plain
}

// distinct tells whether no name occurs twice.
func (o object) distinct() bool {
	const few = 32
	if len(o) > few {
		seen := make(map[string]bool, len(o))
		for _, m := range o {
			seen[string(m.name)] = true
		}
		return len(seen) == len(o)
	}
	for i := range o {
		if o[:i].has(o[i].name) {
			return false
		}
	}
	return true
}

func (o object) has(name []byte) bool {
	return slices.ContainsFunc(o, func(m member) bool { return bytes.Equal(m.name, name) })
}

// value returns what is called name, as written, nil when there is nothing.
func (o object) value(name string) json.RawMessage {
	for _, m := range o {
		if string(m.name) == name {
			return m.value
		}
	}
	return nil
}

// text returns the first of names that holds a string or a number, "" when none
// does.
func (o object) text(names ...string) string {
	for _, name := range names {
		if s := text(o.value(name)); s != "" {
			return s
		}
	}
	return ""
}

// text returns what a string says, or a number as written; "" for anything else.
func text(raw json.RawMessage) string {
	raw = bytes.Trim(raw, blanks)
	switch {
	case len(raw) == 0:
		return ""
	case raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9':
		return string(raw)
	case raw[0] != '"':
		return ""
	}
	plain := raw[1 : len(raw)-1]
	if bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return string(bytes.TrimSpace(plain))
	}
	var s string
	_ = json.Unmarshal(raw, &s) // it is valid
	return strings.TrimSpace(s)
}

// list returns the texts of an array, or of one text in place of it. present
// says that there is anything at all, readable or not.
func (o object) list(name string) (texts []string, present bool) {
	raw := bytes.Trim(o.value(name), blanks)
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
	c, err := parseObject(o.value(name))
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
