package campaign

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"reauth/internal/event"
)

// fieldNames are the fields of a request as they are called on the wire, in
// the order of event.Request.
var fieldNames = func() []string {
	t := reflect.TypeFor[event.Request]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return names
}()

// The fields that a manifest's reader fills in, as indexes of fieldNames.
var (
	requestID   = slices.Index(fieldNames, "request_id")
	vendor      = slices.Index(fieldNames, "vendor")
	campaignID  = slices.Index(fieldNames, "campaign_id")
	notAfter    = slices.Index(fieldNames, "not_after")
	requestedAt = slices.Index(fieldNames, "requested_at")
)

// FieldNames returns the columns that a manifest may have.
func FieldNames() []string { return slices.Clone(fieldNames) }

// fields holds one text for each of fieldNames; empty means absent.
type fields []string

func newFields() fields { return make(fields, len(fieldNames)) }

// json returns the fields as a request. All text must be UTF-8: encoding/json
// would put U+FFFD for what is not.
func (f fields) json() []byte {
	text := []byte{'{'}
	for i, value := range f {
		if value == "" {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		quoted, err := json.Marshal(value)
		if err != nil {
			panic("campaign: a string has no JSON: " + err.Error())
		}
		text = append(text, '"')
		text = append(text, fieldNames[i]...)
		text = append(text, `":`...)
		text = append(text, quoted...)
	}
	return append(text, '}')
}

// own is what a row says of itself: all but its ids.
func (f fields) own() []byte {
	f = slices.Clone(f)
	f[requestID], f[campaignID] = "", ""
	return f.json()
}

// setDefault fills in a field that is absent.
func (f fields) setDefault(field int, value string) {
	if f[field] == "" {
		f[field] = value
	}
}

// instantText returns t for a field, empty for zero.
func instantText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
