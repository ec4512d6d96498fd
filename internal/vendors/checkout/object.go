package checkout

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"reauth/internal/vendors"
)

// read decodes an answer's body, a JSON object with distinct names, into the
// fields of v, and says whether it could. What v has no field for is skipped:
// most of it is personal. Half an answer is none.
func read(answer vendors.Answer, v any) bool {
	return answer.Err == nil && decode(answer.Body, v)
}

// decode reports no error: those of encoding/json quote their input.
func decode(body []byte, v any) bool {
	return hasDistinctNames(body) && json.Unmarshal(body, v) == nil
}

// hasDistinctNames tells whether body is a JSON object in which no name occurs
// twice in one object, whatever its letter case: encoding/json would take the
// last of two statuses.
func hasDistinctNames(body []byte) bool {
	if b := bytes.TrimLeft(body, " \t\r\n"); len(b) == 0 || b[0] != '{' || !json.Valid(body) {
		return false
	}
	type level struct {
		names map[string]bool // nil for an array
		name  bool            // the next string is a name
	}
	var levels []level
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for {
		t, err := d.Token()
		if err != nil {
			return len(levels) == 0 // the end, as it is valid
		}
		if delim, ok := t.(json.Delim); ok && (delim == '}' || delim == ']') {
			levels = levels[:len(levels)-1]
			continue
		}
		if n := len(levels) - 1; n >= 0 && levels[n].names != nil {
			if levels[n].name {
				name := fold(t.(string))
				if levels[n].names[name] {
					return false
				}
				levels[n].names[name], levels[n].name = true, false
				continue
			}
			levels[n].name = true
		}
		switch t {
		case json.Delim('{'):
			levels = append(levels, level{names: map[string]bool{}, name: true})
		case json.Delim('['):
			levels = append(levels, level{})
		}
	}
}

// fold maps names that encoding/json takes for the same to one: also those
// with U+017F in place of an s, or U+212A in place of a k.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// number is a JSON number, or a string that holds one. Anything else, NaN and
// the infinities are 0.
type number float64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		f = 0
	}
	*n = number(f)
	return nil
}

// moment is an RFC 3339 time in UTC; zero for anything else.
type moment struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(b []byte) error {
	var s string
	*m = moment{}
	if json.Unmarshal(b, &s) != nil {
		return nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		m.Time = t.UTC()
	}
	return nil
}

// maxListed bounds the codes of an answer.
const maxListed = 16

// names are the texts of an array, at most maxListed; empty for anything else.
type names []string

// UnmarshalJSON implements json.Unmarshaler.
func (n *names) UnmarshalJSON(b []byte) error {
	*n = nil
	for _, e := range elements(b) {
		var s string
		if json.Unmarshal(e, &s) == nil && s != "" {
			*n = append(*n, s)
		}
	}
	return nil
}

// responseCodes are the codes of an array of {"code":62321,"summary":…}, in
// which the code may also be a string: positive, at most maxListed. What is
// neither is passed over: the status decides, not the codes.
type responseCodes []int

// UnmarshalJSON implements json.Unmarshaler.
func (c *responseCodes) UnmarshalJSON(b []byte) error {
	*c = nil
	for _, e := range elements(b) {
		var one struct {
			Code number `json:"code"`
		}
		if json.Unmarshal(e, &one) == nil && one.Code >= 1 && one.Code < 1e6 {
			*c = append(*c, int(one.Code))
		}
	}
	return nil
}

// elements returns the first maxListed elements of an array.
func elements(b []byte) []json.RawMessage {
	var all []json.RawMessage
	if json.Unmarshal(b, &all) != nil {
		return nil
	}
	return all[:min(len(all), maxListed)]
}
