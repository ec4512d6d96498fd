package event

import "slices"

// needs says what a vendor needs of a request.
type needs struct {
	vendor Vendor
	// id is the field that names the subject; the other id must be absent.
	id int
	// fields are needed too.
	fields []int
}

// vendorNeeds has one line per known vendor.
var vendorNeeds = []needs{
	{Argos, submissionID, []int{selfieKey}},
	{Faceki, submissionID, []int{selfieKey}},
	{Checkout, applicantID, []int{redirectURL}},
	{Rekognition, submissionID, []int{selfieKey, referenceKey}},
}

// subjectIDs are the fields that name a subject: a request has exactly one.
var subjectIDs = []int{submissionID, applicantID}

// needsOf returns what v needs, nil if v is not a known vendor.
func needsOf(v Vendor) *needs {
	for i := range vendorNeeds {
		if vendorNeeds[i].vendor == v {
			return &vendorNeeds[i]
		}
	}
	return nil
}

// Vendors returns the known vendors.
func Vendors() []Vendor {
	all := make([]Vendor, len(vendorNeeds))
	for i, n := range vendorNeeds {
		all[i] = n.vendor
	}
	return all
}

// knownVendors is for faults.
var knownVendors = func() string {
	text := "send one of"
	for _, v := range Vendors() {
		text += " " + string(v)
	}
	return text
}()

// checkPresence notes what is missing, for the vendor or at all, and what
// must not be there together.
func (d *draft) checkPresence(f *faults) {
	d.require(requestID, "every request needs it", f)
	if d[submissionID] != "" && d[applicantID] != "" {
		f.add(fieldNames[submissionID], BothIDs, "send either submission_id or applicant_id")
	}
	d.require(vendor, knownVendors+": there is no default", f)
	n := needsOf(Vendor(d[vendor]))
	if n == nil {
		d.requireAnyID(f)
		return
	}
	reason := "vendor " + string(n.vendor) + " needs it"
	wrong := slices.IndexFunc(subjectIDs, func(id int) bool { return id != n.id && d[id] != "" })
	if wrong >= 0 && d[n.id] == "" {
		f.add(fieldNames[subjectIDs[wrong]], WrongIDForVendor,
			"vendor "+string(n.vendor)+" needs "+fieldNames[n.id]+" instead")
	} else {
		d.require(n.id, reason, f)
	}
	for _, field := range n.fields {
		d.require(field, reason, f)
	}
}

// requireAnyID notes that there is no id, when it is not known which one the
// vendor needs.
func (d *draft) requireAnyID(f *faults) {
	for _, id := range subjectIDs {
		if d[id] != "" || f.has(fieldNames[id]) {
			return
		}
	}
	f.add(fieldNames[submissionID], Missing, "send either submission_id or applicant_id")
}

// require notes that field is missing, unless it was there with a fault.
func (d *draft) require(field int, detail string, f *faults) {
	if d[field] == "" && !f.has(fieldNames[field]) {
		f.add(fieldNames[field], Missing, detail)
	}
}

// bucketFields name buckets: a message must not be able to have any other read
// than those allowed, be it by us or by a vendor with our credentials.
var bucketFields = []int{selfieBucket, referenceBucket}

// checkRules holds the vendor and the buckets against the settings.
func (d *draft) checkRules(rules Rules, f *faults) {
	switch v := Vendor(d[vendor]); {
	case v == "" || f.has(fieldNames[vendor]):
	case needsOf(v) == nil:
		f.add(fieldNames[vendor], UnknownVendor, knownVendors)
	case !slices.Contains(rules.Vendors, v):
		f.add(fieldNames[vendor], VendorDisabled, "enable vendor "+string(v)+" in the settings, or send another")
	}
	for _, field := range bucketFields {
		if b := d[field]; b != "" && !f.has(fieldNames[field]) && !slices.Contains(rules.Buckets, b) {
			f.add(fieldNames[field], BucketNotAllowed, "put the bucket on the list of allowed ones, or leave the field out")
		}
	}
}
