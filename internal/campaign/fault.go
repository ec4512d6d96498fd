package campaign

import (
	"fmt"
	"strings"

	"reauth/internal/event"
)

// The codes of faults that only a manifest can have; those of its requests are
// event's.
const (
	// DuplicateRequest: an earlier row has the same request id.
	DuplicateRequest event.Code = "duplicate_request_id"
	// OtherCampaign: the row names another campaign than the manifest's.
	OtherCampaign event.Code = "other_campaign"
	// UnknownField: no request has such a field.
	UnknownField event.Code = "unknown_field"
	// WrongColumns: a CSV row has more or fewer fields than the header.
	WrongColumns event.Code = "wrong_column_count"
	// BadQuote: a quote in a CSV row is out of place, or never closed.
	BadQuote event.Code = "bad_quote"
)

// Fault is one thing that is wrong with a manifest. It holds no values; the
// name of an unknown field is the only text of the manifest in it.
type Fault struct {
	// Line is where the row begins, counted from 1.
	Line int
	// Field is a request's field; empty when the fault is with the row.
	Field string
	Code  event.Code
	// Detail says what to do.
	Detail string
}

// String returns the fault without its line.
func (f Fault) String() string {
	return event.Fault{Field: f.Field, Code: f.Code, Detail: f.Detail}.String()
}

// HeaderError says what is wrong with the first row of a CSV manifest, every
// fault at once. Without a header the rows cannot be judged.
type HeaderError struct {
	Faults []Fault
}

// Error names every fault.
func (e *HeaderError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.String()
	}
	return "the header row is wrong: " + strings.Join(texts, "; ")
}

// shownName bounds what a fault shows of an unknown field's name, in bytes.
const shownName = 40

// unknownField is the fault of a field that no request has.
func unknownField(line int, name string) Fault {
	remedy := "leave it out, or give --ignore-unknown"
	folded := strings.ToLower(strings.TrimSpace(name))
	for _, known := range fieldNames {
		if known == folded {
			remedy = "write " + known
		}
	}
	if strings.ContainsAny(name, ";\t|") {
		remedy = "separate columns with commas"
	}
	shown := name
	if len(shown) > shownName {
		shown = shown[:shownName] + "..."
	}
	return Fault{Line: line, Code: UnknownField, Detail: fmt.Sprintf("no request has a field %q: %s", shown, remedy)}
}

// faultsAt returns the faults of a request as those of the row at line.
func faultsAt(line int, faults []event.Fault) []Fault {
	at := make([]Fault, len(faults))
	for i, f := range faults {
		at[i] = Fault{Line: line, Field: f.Field, Code: f.Code, Detail: f.Detail}
	}
	return at
}
