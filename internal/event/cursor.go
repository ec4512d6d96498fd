package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// cursor walks a JSON text once, from left to right. encoding/json judges the
// grammar beforehand (open), so the cursor only has to find its way: commas
// and colons are skipped like blanks. What encoding/json lets pass and two
// readers may read differently, the cursor notes as a fault: a name that is
// there twice, at any depth, and a name that differs from a known one only by
// case.
type cursor struct {
	text   []byte
	at     int
	faults *faults
}

// open returns a cursor that stands at the opening brace of the object in
// text. ok is false, and a fault noted, if text is not one JSON object in
// UTF-8.
func open(text []byte, f *faults) (c cursor, ok bool) {
	switch {
	case len(bytes.Trim(text, " \t\r\n")) == 0:
		f.add("", Empty, "send a JSON object")
		return cursor{}, false
	case !utf8.Valid(text):
		f.add("", NotUTF8, "send JSON in UTF-8")
		return cursor{}, false
	case !json.Valid(text):
		addSyntaxFault(text, f)
		return cursor{}, false
	}
	c = cursor{text: text, faults: f}
	c.gap()
	if c.text[c.at] != '{' {
		f.add("", NotAnObject, "send a JSON object")
		return cursor{}, false
	}
	return c, true
}

// addSyntaxFault says why text is not valid JSON.
func addSyntaxFault(text []byte, f *faults) {
	var first json.RawMessage
	err := json.NewDecoder(bytes.NewReader(text)).Decode(&first)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		f.add("", TrailingData, "send one JSON object and nothing after it")
	case errors.As(err, &syntax):
		f.add("", MalformedJSON, fmt.Sprintf("send valid JSON: the error is at byte %d of %d", syntax.Offset, len(text)))
	default:
		f.add("", MalformedJSON, fmt.Sprintf("send valid JSON: it ends too early, at byte %d", len(text)))
	}
}

// object walks the object at the cursor and leaves the cursor behind it. For
// each member whose name is in known it calls member with the index; member
// moves the cursor over the value. All other values are skipped. A member
// that is there for the second time is noted as a fault and skipped; prefix
// goes before the name in that fault.
func (c *cursor) object(prefix string, known []string, member func(i int)) {
	var seen nameSet
	c.at++
	for c.gap(); c.text[c.at] != '}'; c.gap() {
		name := c.name()
		c.gap()
		i := c.lookUp(prefix, known, name)
		switch {
		case !seen.add(name):
			if i >= 0 {
				c.faults.add(prefix+known[i], DuplicateKey, "send it once")
			} else {
				c.faults.add("", DuplicateKey, "send no name twice in one object, in fields that are not ours neither")
			}
			c.skip()
		case i >= 0:
			member(i)
		default:
			c.skip()
		}
	}
	c.at++
}

// lookUp returns the index of name in known, -1 if it is not there. A name
// that encoding/json, and others, would take for a known one is a fault.
func (c *cursor) lookUp(prefix string, known []string, name []byte) int {
	for i, k := range known {
		if k == string(name) {
			return i
		}
	}
	if len(known) == 0 {
		return -1
	}
	text := string(name)
	for _, k := range known {
		if strings.EqualFold(k, text) {
			c.faults.add(prefix+k, CaseVariantKey, "write the name in lower case")
		}
	}
	return -1
}

// textKind is what a member holds that should be a string.
type textKind uint8

const (
	isText textKind = iota
	// isAbsent: null.
	isAbsent
	isOther
	// isBroken: a string that holds half of a UTF-16 surrogate pair, which
	// readers replace, keep or refuse.
	isBroken
)

// string reads the value at the cursor, which should be a string.
func (c *cursor) string() (string, textKind) {
	switch c.text[c.at] {
	case '"':
		raw, escaped := c.quoted()
		if !escaped {
			return string(raw), isText
		}
		text, whole := unescape(raw)
		if !whole {
			return "", isBroken
		}
		return string(text), isText
	case 'n':
		c.skip()
		return "", isAbsent
	}
	c.skip()
	return "", isOther
}

// name reads the name at the cursor, with its escapes resolved.
func (c *cursor) name() []byte {
	raw, escaped := c.quoted()
	if escaped {
		raw, _ = unescape(raw)
	}
	return raw
}

// skip moves over the value at the cursor, noting repeated names in it.
func (c *cursor) skip() {
	switch c.text[c.at] {
	case '{':
		c.object("", nil, nil)
	case '[':
		c.at++
		for c.gap(); c.text[c.at] != ']'; c.gap() {
			c.skip()
		}
		c.at++
	case '"':
		c.quoted()
	default: // A number, true, false or null ends where something else begins.
		c.at += bytes.IndexAny(c.text[c.at:], " \t\r\n,]}")
	}
}

// quoted moves over the string at the cursor and returns what stands between
// its quotes, as written, and whether that holds a backslash.
func (c *cursor) quoted() (raw []byte, escaped bool) {
	begin := c.at + 1
	for i := begin; ; i++ {
		switch c.text[i] {
		case '"':
			c.at = i + 1
			return c.text[begin:i], escaped
		case '\\':
			escaped = true
			i++
		}
	}
}

// gap moves to the next token that is not punctuation between two others.
func (c *cursor) gap() {
	for {
		switch c.text[c.at] {
		case ' ', '\t', '\r', '\n', ',', ':':
			c.at++
		default:
			return
		}
	}
}
