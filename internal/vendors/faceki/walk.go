package faceki

import (
	"encoding/json"
	"errors"
	"strings"
)

// errUnreadable stands for every JSON error: those of encoding/json quote their
// input.
var errUnreadable = errors.New("answer is not JSON with distinct names")

// take reads the value of a member or an element.
type take func(*json.Decoder) error

// members reads an object: each member that is named in wanted (lower case; the
// answer's letter case is ignored) with its function, and skips the others
// without decoding them, for most are personal data. A wanted name that occurs
// twice makes the answer unreadable: encoding/json would take the last of two
// verdicts. Any other value than an object is passed over, present is then
// false.
func members(d *json.Decoder, wanted map[string]take) (present bool, err error) {
	if entered, err := enter(d, '{'); !entered {
		return false, err
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return false, errUnreadable
		}
		name = strings.ToLower(name)
		read, isWanted := wanted[name]
		if !isWanted {
			read = skip
		} else if seen[name] {
			return false, errUnreadable
		}
		seen[name] = isWanted
		if err := read(d); err != nil {
			return false, err
		}
	}
	return true, leave(d)
}

// elements reads an array with at most maxMatches elements. Any other value than an
// array is passed over, present is then false.
func elements(d *json.Decoder, read take) (present bool, err error) {
	if entered, err := enter(d, '['); !entered {
		return false, err
	}
	for n := 0; d.More(); n++ {
		if n == maxMatches {
			return false, errUnreadable
		}
		if err := read(d); err != nil {
			return false, err
		}
	}
	return true, leave(d)
}

// enter reads the opening delimiter. Anything else is read to its end.
func enter(d *json.Decoder, delimiter json.Delim) (entered bool, err error) {
	t, err := d.Token()
	if err != nil {
		return false, errUnreadable
	}
	opened, isDelimiter := t.(json.Delim)
	switch {
	case !isDelimiter:
		return false, nil
	case opened == delimiter:
		return true, nil
	}
	for d.More() {
		if opened == '{' {
			if _, err := d.Token(); err != nil { // the name
				return false, errUnreadable
			}
		}
		if err := skip(d); err != nil {
			return false, err
		}
	}
	return false, leave(d)
}

// leave reads the closing delimiter.
func leave(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errUnreadable
	}
	return nil
}

// skip passes one value over.
func skip(d *json.Decoder) error {
	if err := d.Decode(&skipped{}); err != nil {
		return errUnreadable
	}
	return nil
}

type skipped struct{}

// UnmarshalJSON keeps nothing.
func (*skipped) UnmarshalJSON([]byte) error { return nil }

// scalar is a string, a number or a boolean. Any other value, and one that is
// longer than what any wanted field takes, is the zero scalar.
type scalar struct {
	text   string
	quoted bool
}

// maxScalar bounds what is kept of one field.
const maxScalar = 256

// UnmarshalJSON implements json.Unmarshaler.
func (s *scalar) UnmarshalJSON(b []byte) error {
	*s = scalar{}
	switch {
	case len(b) == 0 || len(b) > maxScalar || b[0] == '{' || b[0] == '[' || b[0] == 'n':
		return nil
	case b[0] == '"':
		s.quoted = true
		if err := json.Unmarshal(b, &s.text); err != nil {
			return errUnreadable
		}
		s.text = strings.TrimSpace(s.text)
		return nil
	}
	s.text = string(b)
	return nil
}

// isTrue and isFalse are about booleans, not about words.
func (s scalar) isTrue() bool  { return !s.quoted && s.text == "true" }
func (s scalar) isFalse() bool { return !s.quoted && s.text == "false" }

// into reads a scalar into s.
func into(s *scalar) take {
	return func(d *json.Decoder) error {
		if err := d.Decode(s); err != nil {
			return errUnreadable
		}
		return nil
	}
}
