package event

import "time"

// Outcome says how a request ended.
type Outcome string

// The outcomes.
const (
	// Approved: the vendor says that it is the same person.
	Approved Outcome = "approved"
	// Rejected: the vendor says no.
	Rejected Outcome = "rejected"
	// Unusable: a new selfie is needed.
	Unusable Outcome = "unusable"
	// Ineligible: the subject cannot be authenticated at this vendor.
	Ineligible Outcome = "ineligible"
	// Expired: not_after passed before a call was made, or the person did not
	// come in time.
	Expired Outcome = "expired"
	// Withdrawn: upstream took the request back.
	Withdrawn Outcome = "withdrawn"
	// Failed: we gave up; the original is also in the dead-letter topic.
	Failed Outcome = "failed"
)

// Outcomes returns all outcomes.
func Outcomes() []Outcome {
	return []Outcome{Approved, Rejected, Unusable, Ineligible, Expired, Withdrawn, Failed}
}

// Liveness says how much physical presence a verdict rests on.
type Liveness string

// The liveness levels.
const (
	LivenessNone   Liveness = "none"
	LivenessVendor Liveness = "vendor"
)

// Result is the one event that ends a request (revision 1), or corrects it
// (a higher revision).
type Result struct {
	RequestID  string `json:"request_id"`
	CampaignID string `json:"campaign_id,omitempty"`
	// Vendor is empty only if the request was refused because it named none
	// that is known.
	Vendor       Vendor `json:"vendor,omitempty"`
	SubmissionID string `json:"submission_id,omitempty"`
	ApplicantID  string `json:"applicant_id,omitempty"`
	UserID       string `json:"user_id,omitempty"`

	Outcome     Outcome  `json:"outcome"`
	Reasons     []Reason `json:"reasons,omitempty"`
	VendorCodes []string `json:"vendor_codes,omitempty"`
	// Scores are 0 to 100, only what the vendor gave: similarity,
	// occlusion, face_cover, head_cover.
	Scores          map[string]float64 `json:"scores,omitempty"`
	VendorReference string             `json:"vendor_reference,omitempty"`
	// Liveness is published as none when it is empty.
	Liveness Liveness `json:"liveness"`

	// Calls is the number of vendor calls made for the request; Attempts
	// counts the tries, those that ended before a call included.
	Calls    int `json:"calls"`
	Attempts int `json:"attempts"`
	// Cost is what the request cost by its outcome and the prices that are set,
	// an Amount as text, and Currency the ISO 4217 code of its currency. Both
	// are empty if the vendor has no prices. A later revision of the same
	// verdict has the same cost, and costs nothing in addition.
	Cost     string `json:"cost,omitempty"`
	Currency string `json:"currency,omitempty"`

	// SelfieSHA256 is 64 lower-case hexadecimal digits, empty if no selfie
	// was fetched.
	SelfieSHA256 string `json:"selfie_sha256,omitempty"`
	SelfieBytes  int64  `json:"selfie_bytes,omitempty"`

	TimingsMS Timings `json:"timings_ms"`
	// Revision is 1 for the first result of a request.
	Revision int `json:"revision"`
	// Final is false when the vendor may still change its mind.
	Final  bool   `json:"final"`
	Source Source `json:"source"`

	// CompletedAt becomes ce_time and the record's timestamp.
	CompletedAt time.Time `json:"completed_at"`
}

// Timings are milliseconds spent in each step of a request's path.
type Timings struct {
	Queued int64 `json:"queued"`
	Selfie int64 `json:"selfie"`
	Permit int64 `json:"permit"`
	Vendor int64 `json:"vendor"`
	Total  int64 `json:"total"`
}

// Source is the position of the request's record.
type Source struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
}
