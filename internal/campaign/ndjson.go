package campaign

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"reauth/internal/event"
)

// ndjsonRows reads the rows of an NDJSON manifest.
type ndjsonRows struct {
	lines         *lines
	rules         event.Rules
	ignoreUnknown bool
}

func (n *ndjsonRows) next() (fields, int, []Fault, error) {
	row, err := n.lines.next()
	for err == nil && !row.long && len(bytes.TrimSpace(row.text)) == 0 {
		row, err = n.lines.next()
	}
	if err != nil {
		return nil, 0, nil, err
	}
	if row.long {
		return nil, row.number, []Fault{*tooLong(row.number)}, nil
	}
	if faults := n.unreadable(row.text); len(faults) > 0 {
		return nil, row.number, faultsAt(row.number, faults), nil
	}
	f, faults := n.fields(row)
	return f, row.number, faults, nil
}

// unreadable returns the faults of a row that cannot be read without doubt. All
// other faults can wait until the row is complete.
func (n *ndjsonRows) unreadable(text []byte) []event.Fault {
	_, err := event.Decode(event.Record{Value: text}, n.rules)
	var invalid *event.InvalidError
	if !errors.As(err, &invalid) || invalid.Stage != event.StageDecode {
		return nil
	}
	return slices.DeleteFunc(invalid.Faults, func(f event.Fault) bool {
		return f.Field == fieldNames[requestID] && f.Code == event.Missing
	})
}

// fields takes an object apart whose names are all different and whose known
// fields are strings or null.
func (n *ndjsonRows) fields(row line) (fields, []Fault) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(row.text, &members); err != nil {
		panic("campaign: event.Decode passed what is no object: " + err.Error())
	}
	f := newFields()
	var faults []Fault
	for _, name := range slices.Sorted(maps.Keys(members)) {
		field := slices.Index(fieldNames, name)
		if field < 0 {
			if !n.ignoreUnknown {
				faults = append(faults, unknownField(row.number, name))
			}
			continue
		}
		if err := json.Unmarshal(members[name], &f[field]); err != nil {
			panic("campaign: event.Decode passed what is no string: " + err.Error())
		}
	}
	return f, faults
}
