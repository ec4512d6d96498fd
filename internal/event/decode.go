package event

import (
	"slices"
	"strconv"
	"time"
)

// The largest request value, in words, for faults.
var maxRequestText = "send at most " + strconv.Itoa(MaxRequestBytes) + " bytes"

// Decode reads the request in rec: plain JSON, or the data of a CloudEvents
// 1.0 event of type TypeRequest, in binary or structured mode. Unknown fields
// and extension attributes are ignored; null and the empty string count as
// absent. The package comment has the contract in full.
//
// Every error is an *InvalidError that names all faults at once. Decode does
// not keep rec, and may be used by many goroutines.
func Decode(rec Record, rules Rules) (Request, error) {
	var f faults
	var d draft
	if len(rec.Value) > MaxRequestBytes {
		f.add("", TooLarge, maxRequestText)
		return Request{}, d.refuse(f)
	}
	if !d.readRecord(rec, &f) {
		return Request{}, new(draft).refuse(f)
	}
	r := d.request(rules, rec.Time, &f)
	if len(f) > 0 {
		return Request{}, d.refuse(f)
	}
	return r, nil
}

// draft is a request whose fields are text as sent; absent ones are empty.
type draft [fieldCount]string

// readRecord fills d from rec. It tells whether rec holds a request, however
// faulty; else what d holds is somebody else's.
func (d *draft) readRecord(rec Record, f *faults) bool {
	switch modeOf(rec, f) {
	case plainMode:
		return d.read(rec.Value, f)
	case binaryMode:
		return checkBinaryEnvelope(rec, f) && d.read(rec.Value, f)
	case structuredMode:
		return d.readStructured(rec.Value, f)
	}
	return false
}

// read fills d from text. It tells whether text is a JSON object.
func (d *draft) read(text []byte, f *faults) bool {
	c, ok := open(text, f)
	if ok {
		d.readObject(&c)
	}
	return ok
}

// readObject fills d from the object at the cursor.
func (d *draft) readObject(c *cursor) {
	c.object("", fieldNames[:], func(i int) {
		text, kind := c.string()
		switch kind {
		case isOther:
			c.faults.add(fieldNames[i], WrongType, "send a string")
		case isBroken:
			c.faults.add(fieldNames[i], LoneSurrogate, "send whole characters, not half of a surrogate pair")
		}
		d[i] = text
	})
}

// request checks d and turns it into a Request. What it returns is to be used
// only if there is no fault in f afterwards.
func (d *draft) request(rules Rules, received time.Time, f *faults) Request {
	for i, check := range fieldChecks {
		if check == nil || d[i] == "" || f.has(fieldNames[i]) {
			continue
		}
		if c := check(d[i]); c.code != "" {
			f.add(fieldNames[i], c.code, c.detail)
		}
	}
	d[submissionID] = trimBlanks(d[submissionID])
	if d[vendor] == "" {
		d[vendor] = string(rules.DefaultVendor)
	}
	d.checkPresence(f)
	d.checkRules(rules, f)
	r := Request{
		RequestID:        d[requestID],
		Vendor:           Vendor(d[vendor]),
		SubmissionID:     d[submissionID],
		ApplicantID:      d[applicantID],
		SelfieKey:        d[selfieKey],
		SelfieBucket:     d[selfieBucket],
		SelfieVersion:    d[selfieVersion],
		ReferenceKey:     d[referenceKey],
		ReferenceBucket:  d[referenceBucket],
		ReferenceVersion: d[referenceVersion],
		UserID:           d[userID],
		CF1:              d[cf1],
		CF2:              d[cf2],
		CF3:              d[cf3],
		RedirectURL:      d[redirectURL],
		CampaignID:       d[campaignID],
		RequestedAt:      received.UTC(),
	}
	if d[notAfter] != "" {
		r.NotAfter, _ = parseInstant(d[notAfter])
	}
	if d[requestedAt] != "" {
		r.RequestedAt, _ = parseInstant(d[requestedAt])
	}
	return r
}

// refuse makes the error for a record with faults f.
func (d *draft) refuse(f faults) *InvalidError {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return slices.Index(fieldNames[:], a.Field) - slices.Index(fieldNames[:], b.Field)
	})
	e := &InvalidError{Stage: f.stage(), Faults: f}
	if !f.has(fieldNames[requestID]) && isID(d[requestID]) {
		e.RequestID = d[requestID]
	}
	if !f.has(fieldNames[campaignID]) && isID(d[campaignID]) {
		e.CampaignID = d[campaignID]
	}
	if v := Vendor(d[vendor]); !f.has(fieldNames[vendor]) && needsOf(v) != nil {
		e.Vendor = v
	}
	return e
}
