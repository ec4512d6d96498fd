package campaign

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"reauth/internal/event"
)

// csvRows reads the rows of a CSV manifest. encoding/csv would read on to the
// end of the file after a quote that is never closed, keeping all of it in
// memory and losing every row behind it.
type csvRows struct {
	lines *lines
	// columns holds, for each column, an index of fieldNames, or -1.
	columns []int
}

// newCSVRows reads the header. Its error is a *HeaderError, or the reader's.
func newCSVRows(l *lines, ignoreUnknown bool) (*csvRows, error) {
	c := &csvRows{lines: l}
	names, at, fault, err := c.record()
	if err != nil {
		return nil, err
	}
	if fault != nil {
		return nil, &HeaderError{Faults: []Fault{*fault}}
	}
	var faults []Fault
	for _, name := range names {
		field := slices.Index(fieldNames, name)
		switch {
		case field < 0 && !ignoreUnknown:
			faults = append(faults, unknownField(at, name))
		case field >= 0 && slices.Contains(c.columns, field):
			faults = append(faults, Fault{Line: at, Field: name, Code: event.DuplicateKey, Detail: "keep one column of this name"})
		}
		c.columns = append(c.columns, field)
	}
	if !slices.ContainsFunc(c.columns, func(field int) bool { return field >= 0 }) && len(faults) == 0 {
		faults = append(faults, Fault{Line: at, Code: UnknownField, Detail: "begin with a row of field names, such as submission_id,selfie_key"})
	}
	if len(faults) > 0 {
		return nil, &HeaderError{Faults: faults}
	}
	return c, nil
}

func (c *csvRows) next() (fields, int, []Fault, error) {
	values, at, fault, err := c.record()
	switch {
	case err != nil:
		return nil, 0, nil, err
	case fault != nil:
		return nil, at, []Fault{*fault}, nil
	case len(values) != len(c.columns):
		return nil, at, []Fault{{Line: at, Code: WrongColumns,
			Detail: fmt.Sprintf("the row has %d fields and the header %d: quote fields that hold commas", len(values), len(c.columns))}}, nil
	}
	f := newFields()
	var faults []Fault
	for i, field := range c.columns {
		switch {
		case field < 0:
		case !utf8.ValidString(values[i]):
			faults = append(faults, Fault{Line: at, Field: fieldNames[field], Code: event.NotUTF8, Detail: "save the manifest in UTF-8"})
		default:
			f[field] = values[i]
		}
	}
	return f, at, faults, nil
}

// record returns the values of the next row that is not empty, and the line
// that it begins on.
func (c *csvRows) record() (values []string, at int, fault *Fault, err error) {
	first, err := c.lines.next()
	for err == nil && len(first.text) == 0 {
		first, err = c.lines.next()
	}
	if err != nil {
		return nil, 0, nil, err
	}
	if first.long {
		return nil, first.number, tooLong(first.number), nil
	}
	var s splitter
	state := s.feed(first.text)
	size := len(first.text)
	var taken []line
	for state == open {
		more, err := c.lines.next()
		if errors.Is(err, io.EOF) {
			state = broken
			break
		}
		if err != nil {
			return nil, 0, nil, err
		}
		taken = append(taken, more)
		size += 1 + len(more.text)
		if more.long || size > c.lines.maxBytes {
			state = broken
			break
		}
		state = s.feed(more.text)
	}
	if state == broken {
		// The quote spoils its own row only: what follows may be right.
		c.lines.giveBack(taken)
		return nil, first.number, &Fault{Line: first.number, Code: BadQuote,
			Detail: `put fields that hold quotes in quotes, double the quotes within, and close them`}, nil
	}
	return s.values, first.number, nil, nil
}

func tooLong(at int) *Fault {
	return &Fault{Line: at, Code: event.TooLarge, Detail: fmt.Sprintf("send at most %d bytes in a row", event.MaxRequestBytes)}
}

// splitState is where a splitter stands after a line.
type splitState uint8

const (
	// done: the record is complete.
	done splitState = iota
	// open: a quoted field goes on in the next line.
	open
	// broken: a quote is out of place.
	broken
)

// splitter splits the lines of one CSV record into its values.
type splitter struct {
	values []string
	quoted []byte // the quoted field that is open
	inside bool
}

// feed takes the next line of the record.
func (s *splitter) feed(text []byte) splitState {
	if s.inside {
		s.quoted = append(s.quoted, '\n')
	}
	for {
		if !s.inside && (len(text) == 0 || text[0] != '"') {
			field, rest, more := bytes.Cut(text, []byte(","))
			if bytes.IndexByte(field, '"') >= 0 {
				return broken
			}
			s.values = append(s.values, string(field))
			if !more {
				return done
			}
			text = rest
			continue
		}
		if !s.inside {
			s.inside, s.quoted, text = true, s.quoted[:0], text[1:]
		}
		field, rest, closed := bytes.Cut(text, []byte(`"`))
		s.quoted = append(s.quoted, field...)
		switch {
		case !closed:
			return open
		case len(rest) > 0 && rest[0] == '"':
			s.quoted = append(s.quoted, '"')
			text = rest[1:]
			continue
		case len(rest) > 0 && rest[0] != ',':
			return broken
		}
		s.inside = false
		s.values = append(s.values, string(s.quoted))
		if len(rest) == 0 {
			return done
		}
		text = rest[1:]
	}
}
