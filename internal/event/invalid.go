package event

import (
	"fmt"
	"strings"
)

// Stage is the step of a request's path at which it failed. It stands in
// dead letters.
type Stage string

// The stages.
const (
	// StageDecode: the record cannot be read without doubt.
	StageDecode Stage = "decode"
	// StageValidate: it can be read, and breaks a rule.
	StageValidate Stage = "validate"
	StageSelfie   Stage = "selfie"
	StageVendor   Stage = "vendor"
	StagePublish  Stage = "publish"
)

// Code says what is wrong with one field of a request, or with the record.
type Code string

// The codes of faults at StageDecode.
const (
	Empty             Code = "empty"
	TooLarge          Code = "too_large"
	NotUTF8           Code = "not_utf8"
	MalformedJSON     Code = "malformed_json"
	TrailingData      Code = "trailing_data"
	NotAnObject       Code = "not_an_object"
	DuplicateKey      Code = "duplicate_key"
	CaseVariantKey    Code = "case_variant_key"
	WrongType         Code = "wrong_type"
	LoneSurrogate     Code = "lone_surrogate"
	BatchMode         Code = "batch_mode"
	UnsupportedFormat Code = "unsupported_format"
)

// The codes of faults at StageValidate.
const (
	Missing          Code = "missing"
	TooLong          Code = "too_long"
	BadFormat        Code = "bad_format"
	PathTrick        Code = "path_trick"
	UnknownVendor    Code = "unknown_vendor"
	VendorDisabled   Code = "vendor_disabled"
	BothIDs          Code = "both_ids"
	WrongIDForVendor Code = "wrong_id_for_vendor"
	BucketNotAllowed Code = "bucket_not_allowed"
	WrongEventType   Code = "wrong_event_type"
	WrongSpecVersion Code = "wrong_spec_version"
)

// stage returns where a fault with this code is found.
func (c Code) stage() Stage {
	switch c {
	case Empty, TooLarge, NotUTF8, MalformedJSON, TrailingData, NotAnObject, DuplicateKey,
		CaseVariantKey, WrongType, LoneSurrogate, BatchMode, UnsupportedFormat:
		return StageDecode
	}
	return StageValidate
}

// Fault is one thing that is wrong. It never holds a value, or a name, that
// came with the record: those may be personal.
type Fault struct {
	// Field is a field of Request as it is called on the wire, an attribute
	// of the CloudEvents envelope with ce_ before it, "content-type", or
	// empty when the fault is with the record as a whole.
	Field string
	Code  Code
	// Detail says what to do: fixed text and bounds.
	Detail string
}

func (f Fault) String() string {
	s := string(f.Code) + " (" + f.Detail + ")"
	if f.Field == "" {
		return s
	}
	return f.Field + ": " + s
}

// InvalidError is how Decode refuses a record: with every fault at once. The
// same record is refused again, so a retry is no use.
type InvalidError struct {
	// Stage is StageDecode if the record cannot be read without doubt, else
	// StageValidate.
	Stage Stage
	// RequestID, CampaignID and Vendor are set only if they could be read
	// without doubt and are well-formed, or known.
	RequestID  string
	CampaignID string
	Vendor     Vendor
	// Faults holds at least one, in the order of the fields of Request,
	// those of the record and its envelope first.
	Faults []Fault
}

// Error names every fault, and nothing that came with the record.
func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.String()
	}
	return fmt.Sprintf("request refused (%s): %s", e.Stage, strings.Join(texts, "; "))
}

// faults collects what is wrong with one record.
type faults []Fault

// add notes a fault. The same code at the same field is noted once, so the
// list is bounded whatever a record holds.
func (f *faults) add(field string, code Code, detail string) {
	for _, have := range *f {
		if have.Field == field && have.Code == code {
			return
		}
	}
	*f = append(*f, Fault{Field: field, Code: code, Detail: detail})
}

// has tells whether field has a fault of any code.
func (f faults) has(field string) bool {
	for _, have := range f {
		if have.Field == field {
			return true
		}
	}
	return false
}

// stage returns the earliest stage among the faults.
func (f faults) stage() Stage {
	for _, have := range f {
		if have.Code.stage() == StageDecode {
			return StageDecode
		}
	}
	return StageValidate
}
