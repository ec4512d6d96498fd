package event

import "time"

// Request is what upstream asks for: authenticate this subject with this
// selfie. Field rules stand at each field; Decode enforces them.
type Request struct {
	// RequestID is the idempotency key: 1 to 128 of [A-Za-z0-9._:-].
	RequestID string `json:"request_id"`
	// Vendor is one of the known vendors; after Decode it is never empty.
	Vendor Vendor `json:"vendor,omitempty"`
	// SubmissionID names the subject at Argos, the FACEKI reference that the
	// match must belong to, or, for Amazon Rekognition, which knows nobody,
	// the subject as upstream calls it. Exactly one of SubmissionID and
	// ApplicantID is set, and it is the one that the vendor needs.
	SubmissionID string `json:"submission_id,omitempty"`
	// ApplicantID names the subject at Checkout.com: aplt_ and word characters.
	ApplicantID string `json:"applicant_id,omitempty"`
	// SelfieKey is the S3 key of the selfie, required for vendors that take
	// one. At most 1024 bytes, no leading slash, no empty, "." or ".."
	// segment, no control character, no backslash.
	SelfieKey string `json:"selfie_key,omitempty"`
	// SelfieBucket must be on the allow-list; empty means the default bucket.
	SelfieBucket string `json:"selfie_bucket,omitempty"`
	// SelfieVersion is the S3 version id; empty means the latest.
	SelfieVersion string `json:"selfie_version,omitempty"`
	// ReferenceKey is the S3 key of the picture that the selfie is compared
	// with, required for vendors that keep none of their own, with the rules
	// of SelfieKey; ReferenceBucket and ReferenceVersion are as for the selfie.
	ReferenceKey     string `json:"reference_key,omitempty"`
	ReferenceBucket  string `json:"reference_bucket,omitempty"`
	ReferenceVersion string `json:"reference_version,omitempty"`
	// UserID and CF1 to CF3 are passed to vendors that take them, at most
	// 256 bytes each.
	UserID string `json:"user_id,omitempty"`
	CF1    string `json:"cf1,omitempty"`
	CF2    string `json:"cf2,omitempty"`
	CF3    string `json:"cf3,omitempty"`
	// RedirectURL is where the person goes after a hosted capture: an
	// absolute https URL, at most 2048 bytes.
	RedirectURL string `json:"redirect_url,omitempty"`
	// CampaignID groups requests; same alphabet as RequestID.
	CampaignID string `json:"campaign_id,omitempty"`
	// NotAfter closes the request as expired, without a call, once it has
	// passed. Zero means never.
	NotAfter time.Time `json:"not_after,omitzero"`
	// RequestedAt is when upstream asked; after Decode it is never zero
	// (the Kafka timestamp stands in).
	RequestedAt time.Time `json:"requested_at,omitzero"`
}

// Subject names the person as the vendor knows them, prefixed with the vendor,
// so that it can serve as a map key across vendors.
func (r Request) Subject() string {
	return string(r.Vendor) + "/" + r.SubmissionID + r.ApplicantID
}

// Vendor names an identity vendor on the wire, in settings and in metrics.
type Vendor string

// The known vendors.
const (
	Argos       Vendor = "argos"
	Faceki      Vendor = "faceki"
	Checkout    Vendor = "checkout"
	Rekognition Vendor = "rekognition"
)

// Rules is what Decode needs to know beyond the record itself.
type Rules struct {
	// DefaultVendor is used for a request that names none; empty means that
	// a request must name one.
	DefaultVendor Vendor
	// Vendors are the enabled ones; a request for another is refused.
	Vendors []Vendor
	// Buckets are the buckets that a request may name.
	Buckets []string
}

// MaxRequestBytes is the largest request value that Decode accepts.
const MaxRequestBytes = 64 << 10
