package campaign

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"reauth/internal/event"
)

// Format is the form of a manifest.
type Format string

// The formats.
const (
	// Auto: NDJSON if the first character is a brace, else CSV.
	Auto   Format = "auto"
	CSV    Format = "csv"
	NDJSON Format = "ndjson"
)

// Options say how a manifest is read.
type Options struct {
	// Campaign is the id of all requests of the manifest; required.
	Campaign string
	// Format is Auto when empty.
	Format Format
	// Vendor is for rows that name none. Empty leaves it to the consumer.
	Vendor event.Vendor
	// NotAfter is for rows that name none; zero means never.
	NotAfter time.Time
	// Rules are the consumer's, as far as they are known here.
	Rules event.Rules
	// IgnoreUnknown takes unknown columns and fields as absent; they are
	// faults otherwise.
	IgnoreUnknown bool
}

// Row is one row of a manifest.
type Row struct {
	// Number counts rows from 1, Line is where the row begins.
	Number, Line int
	// Request is to be used if there are no Faults. Its Vendor is empty if
	// neither the row nor the Options name one, and its RequestedAt zero if
	// the row does not say.
	Request event.Request
	Faults  []Fault
}

// rows is a manifest in one of the formats. next returns the fields of the next
// row, the line that it begins on, and its faults; fields are nil when the
// row could not be read at all.
type rows interface {
	next() (f fields, line int, faults []Fault, err error)
}

// Reader reads a manifest row by row. It is for one goroutine.
type Reader struct {
	options Options
	rules   event.Rules
	rows    rows
	number  int
	seen    map[key]int // the line of each request id
}

// ErrNoManifest is in the chain when the content is not a manifest of any kind.
var ErrNoManifest = errors.New("not a manifest")

// peeked is how far the beginning is looked at, in bytes.
const peeked = 4 << 10

// NewReader returns a reader of the manifest in r and reads its header, if it
// has one. Its error is a *HeaderError, one that wraps ErrNoManifest, or r's.
func NewReader(r io.Reader, o Options) (*Reader, error) {
	buffered := bufio.NewReaderSize(r, event.MaxRequestBytes)
	if err := skipMark(buffered); err != nil {
		return nil, fmt.Errorf("reading manifest: %w", err)
	}
	if o.Format == Auto || o.Format == "" {
		format, err := formatOf(buffered)
		if err != nil {
			return nil, fmt.Errorf("reading manifest: %w", err)
		}
		o.Format = format
	}
	m := &Reader{options: o, rules: o.Rules, seen: make(map[key]int)}
	if o.Vendor != "" {
		m.rules.DefaultVendor = o.Vendor
	}
	l := &lines{r: buffered, maxBytes: event.MaxRequestBytes}
	if o.Format == NDJSON {
		m.rows = &ndjsonRows{lines: l, rules: m.rules, ignoreUnknown: o.IgnoreUnknown}
		return m, nil
	}
	c, err := newCSVRows(l, o.IgnoreUnknown)
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("reading manifest: %w: it is empty", ErrNoManifest)
	case err != nil:
		return nil, fmt.Errorf("reading manifest: %w", err)
	}
	m.rows = c
	return m, nil
}

// skipMark skips a UTF-8 byte order mark and refuses UTF-16.
func skipMark(r *bufio.Reader) error {
	head, err := r.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		_, err := r.Discard(3)
		return err
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}), bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return fmt.Errorf("%w: it is in UTF-16, save it in UTF-8", ErrNoManifest)
	}
	return nil
}

// formatOf tells the format by the first character.
func formatOf(r *bufio.Reader) (Format, error) {
	head, err := r.Peek(peeked)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	head = bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(head) == 0 && errors.Is(err, io.EOF):
		return "", fmt.Errorf("%w: it is empty", ErrNoManifest)
	case bytes.HasPrefix(head, []byte("{")):
		return NDJSON, nil
	case bytes.HasPrefix(head, []byte("[")):
		return "", fmt.Errorf("%w: it begins like a JSON array, give one object on each line instead", ErrNoManifest)
	}
	return CSV, nil
}

// Next returns the next row, with all of its faults. The error is io.EOF after
// the last, or the reader's.
func (m *Reader) Next() (Row, error) {
	f, line, faults, err := m.rows.next()
	if errors.Is(err, io.EOF) {
		return Row{}, io.EOF
	}
	if err != nil {
		return Row{}, fmt.Errorf("reading manifest: %w", err)
	}
	m.number++
	row := Row{Number: m.number, Line: line, Faults: faults}
	if f != nil {
		m.judge(f, &row)
	}
	return row, nil
}

// judge completes the request in f and holds it against the rules.
func (m *Reader) judge(f fields, row *Row) {
	o := m.options
	if f[campaignID] != "" && f[campaignID] != o.Campaign {
		row.Faults = append(row.Faults, Fault{Line: row.Line, Field: fieldNames[campaignID], Code: OtherCampaign,
			Detail: "the manifest's campaign is " + o.Campaign + ": leave the field out, or give --campaign"})
	}
	isTimed := f[requestedAt] != ""
	if f[requestID] == "" {
		f[requestID] = generatedID(o.Campaign, row.Number, f)
	}
	f[campaignID] = o.Campaign
	f.setDefault(vendor, string(o.Vendor))
	f.setDefault(notAfter, instantText(o.NotAfter))

	id := f[requestID]
	r, err := event.Decode(event.Record{Value: f.json()}, m.rules)
	var invalid *event.InvalidError
	if errors.As(err, &invalid) {
		row.Faults = append(row.Faults, faultsAt(row.Line, unsaid(row.Faults, invalid.Faults))...)
		id = invalid.RequestID
	}
	if fault := m.duplicate(id, row.Line); fault != nil {
		row.Faults = append(row.Faults, *fault)
	}
	if len(row.Faults) > 0 {
		return
	}
	r.Vendor = event.Vendor(f[vendor])
	if !isTimed {
		r.RequestedAt = time.Time{}
	}
	row.Request = r
}

// unsaid returns those of the request's faults about whose field nothing was
// said yet: a field that could not be read would be reported as missing.
func unsaid(said []Fault, faults []event.Fault) []event.Fault {
	return slices.DeleteFunc(faults, func(f event.Fault) bool {
		return f.Field != "" && slices.ContainsFunc(said, func(s Fault) bool { return s.Field == f.Field })
	})
}

// duplicate notes a request id and returns a fault if it was there before.
func (m *Reader) duplicate(id string, line int) *Fault {
	if id == "" {
		return nil
	}
	k := keyOf(id)
	first, ok := m.seen[k]
	if !ok {
		m.seen[k] = line
		return nil
	}
	return &Fault{Line: line, Field: fieldNames[requestID], Code: DuplicateRequest,
		Detail: fmt.Sprintf("line %d has it too: give each request an id of its own, or none", first)}
}
