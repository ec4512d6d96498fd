package event

import (
	"encoding/base64"
	"slices"
	"strings"
)

// The types of our CloudEvents.
const (
	TypeRequest = "faceauth.request.v1"
	TypeResult  = "faceauth.result.v1"
	TypePending = "faceauth.pending.v1"
)

// The CloudEvents attributes in Kafka headers (CloudEvents 1.0.2, Kafka
// protocol binding, section 3.2).
const (
	contentType   = "content-type"
	ceSpecVersion = "ce_specversion"
	ceID          = "ce_id"
	ceSource      = "ce_source"
	ceType        = "ce_type"
	ceSubject     = "ce_subject"
	ceTime        = "ce_time"
	ceData        = "ce_data"
	ceDataBase64  = "ce_data_base64"

	specVersion = "1.0"
	jsonType    = "application/json"
)

// requiredAttributes must be there in every event, in both modes.
var requiredAttributes = []string{ceSpecVersion, ceID, ceSource, ceType}

// TypeOf returns the type of the CloudEvents event in rec, one of TypeRequest,
// TypeResult, TypePending or a foreign one, and "" if rec is not an event in
// binary mode. Everything on the results topic is in binary mode.
func TypeOf(rec Record) string {
	t, _ := rec.Header(ceType)
	return t
}

// mode is the form in which a record carries a request.
type mode uint8

const (
	noMode mode = iota
	plainMode
	binaryMode
	structuredMode
)

// modeOf tells the form of rec: structured if its content type starts with
// application/cloudevents, binary if a required attribute is among its
// headers, else plain. noMode comes with a fault.
func modeOf(rec Record, f *faults) mode {
	format, ok := contentTypeOf(rec)
	if !ok {
		f.add(contentType, DuplicateKey, "send one content type")
		return noMode
	}
	suffix, isEvent := strings.CutPrefix(format, "application/cloudevents")
	switch {
	case isEvent && (suffix == "" || suffix == "+json"):
		return structuredMode
	case strings.HasPrefix(suffix, "-batch"):
		f.add(contentType, BatchMode, "send one event per record")
		return noMode
	case isEvent:
		f.add(contentType, UnsupportedFormat, "send application/cloudevents+json")
		return noMode
	}
	for _, h := range rec.Headers {
		if isRequiredAttribute(h.Key) {
			return binaryMode
		}
	}
	return plainMode
}

// contentTypeOf returns the media type of rec in lower case without its
// parameters. The header's name is matched without case, because producers
// that come from HTTP write it so; ok is false if two of them disagree.
func contentTypeOf(rec Record) (media string, ok bool) {
	found := false
	for _, h := range rec.Headers {
		if !strings.EqualFold(h.Key, contentType) {
			continue
		}
		value, _, _ := strings.Cut(string(h.Value), ";")
		value = strings.ToLower(strings.TrimSpace(value))
		if found && value != media {
			return "", false
		}
		media, found = value, true
	}
	return media, true
}

func isRequiredAttribute(key string) bool {
	for _, a := range requiredAttributes {
		if strings.EqualFold(a, key) {
			return true
		}
	}
	return false
}

// checkBinaryEnvelope checks the attributes in rec's headers. It tells
// whether the event is a request.
func checkBinaryEnvelope(rec Record, f *faults) bool {
	attributes := make([]string, len(requiredAttributes))
	seen := make([]bool, len(requiredAttributes))
	for _, h := range rec.Headers {
		for i, a := range requiredAttributes {
			switch {
			case h.Key == a && seen[i]:
				f.add(a, DuplicateKey, "send it once")
			case h.Key == a:
				attributes[i], seen[i] = string(h.Value), true
			case strings.EqualFold(h.Key, a):
				f.add(a, CaseVariantKey, "write the name in lower case")
			}
		}
	}
	return checkAttributes(attributes, f)
}

// checkAttributes checks the values of requiredAttributes. It tells whether
// the event is a request, as far as can be seen.
func checkAttributes(values []string, f *faults) bool {
	for i, a := range requiredAttributes {
		switch value := values[i]; {
		case f.has(a):
		case value == "":
			f.add(a, Missing, "every CloudEvents event needs it")
		case a == ceSpecVersion && value != specVersion:
			f.add(a, WrongSpecVersion, "send CloudEvents "+specVersion)
		case a == ceType && value != TypeRequest:
			f.add(a, WrongEventType, "send "+TypeRequest)
		}
	}
	return !f.has(ceType)
}

// The members of a structured event that matter here; required ones first, in
// the order of requiredAttributes.
var (
	envelopeNames = []string{"specversion", "id", "source", "type", "data", "data_base64"}
	dataName      = slices.Index(envelopeNames, "data")
)

// readStructured fills d from the data of the event in text. It tells whether
// the event is a request with an object for data.
func (d *draft) readStructured(text []byte, f *faults) bool {
	c, ok := open(text, f)
	if !ok {
		return false
	}
	values := make([]string, len(envelopeNames))
	var fromData faults
	hasData := false
	c.object("ce_", envelopeNames, func(i int) {
		if i == dataName && c.text[c.at] == '{' {
			hasData = true
			inner := cursor{text: c.text, at: c.at, faults: &fromData}
			d.readObject(&inner)
			c.at = inner.at
			return
		}
		text, kind := c.string()
		switch {
		case kind == isAbsent:
		case i == dataName:
			f.add(ceData, NotAnObject, "send the request as a JSON object")
		case kind != isText:
			f.add("ce_"+envelopeNames[i], WrongType, "send a string")
		default:
			values[i] = text
		}
	})
	readable := hasData
	switch encoded := values[len(values)-1]; {
	case hasData && encoded != "":
		f.add(ceDataBase64, DuplicateKey, "send either data or data_base64")
	case encoded != "":
		readable = d.readBase64(encoded, f, &fromData)
	case !hasData && !f.has(ceData) && !f.has(ceDataBase64):
		f.add(ceData, Missing, "send the request as the event's data")
	}
	if !checkAttributes(values, f) {
		return false
	}
	*f = append(*f, fromData...)
	return readable
}

// readBase64 fills d from data_base64, which some SDKs write for data that
// was handed to them as bytes.
func (d *draft) readBase64(encoded string, f, fromData *faults) bool {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		f.add(ceDataBase64, BadFormat, "send the data in base64")
		return false
	}
	return d.read(text, fromData)
}
