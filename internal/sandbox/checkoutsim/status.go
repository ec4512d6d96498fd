package checkoutsim

import "slices"

// Status is that of a face authentication.
type Status string

// The statuses (Checkout.com's clients).
const (
	Created           Status = "created"
	Pending           Status = "pending"
	CaptureInProgress Status = "capture_in_progress"
	ChecksInProgress  Status = "checks_in_progress"
	RetryRequired     Status = "retry_required"
	Approved          Status = "approved"
	Declined          Status = "declined"
	Refused           Status = "refused"
	Inconclusive      Status = "inconclusive"
	// Odd is not the vendor's: it stands for a status added after the caller
	// was written.
	Odd Status = "under_review"
)

// Final reports whether nothing but an audit follows.
func (s Status) Final() bool {
	return slices.Contains([]Status{Approved, Declined, Refused, Inconclusive}, s)
}

// allowsAttempt reports whether a new attempt may be made.
func (s Status) allowsAttempt() bool {
	return slices.Contains([]Status{Created, Pending, CaptureInProgress, RetryRequired}, s)
}

// AttemptStatus is that of an attempt.
type AttemptStatus string

// The statuses of attempts.
const (
	AttemptPending      AttemptStatus = "pending_redirection"
	AttemptCapture      AttemptStatus = "capture_in_progress"
	AttemptAborted      AttemptStatus = "capture_aborted"
	AttemptRefused      AttemptStatus = "capture_refused"
	AttemptExpired      AttemptStatus = "expired"
	AttemptChecks       AttemptStatus = "checks_in_progress"
	AttemptInconclusive AttemptStatus = "checks_inconclusive"
	AttemptCompleted    AttemptStatus = "completed"
	// AttemptTerminated is an attempt that a newer one, or the vendor, ended.
	AttemptTerminated AttemptStatus = "terminated"
)

// live reports whether the attempt's link still leads somewhere.
func (s AttemptStatus) live() bool { return s == AttemptPending || s == AttemptCapture }

// The response codes that the simulator gives by itself.
const (
	codeApproved      = 10000
	codeNeverStarted  = 61101
	codeDropped       = 61121
	codeHidden        = 61411
	codeMismatch      = 62321
	codeFraud         = 62405
	codeRefusal       = 63001
	codeForciblyEnded = 64001
)

// summaries are the words that go with the codes (Checkout.com's page on
// identities response codes).
var summaries = map[int]string{
	codeApproved:      "approved",
	codeNeverStarted:  "applicant_never_started",
	61111:             "applicant_not_ready",
	61113:             "camera_access_refused",
	codeDropped:       "applicant_drop",
	61201:             "connection_insufficient",
	61202:             "browser_not_supported",
	61203:             "camera_not_found",
	61401:             "face_video_blurry",
	61402:             "face_video_lighting_issue",
	61410:             "face_not_captured",
	codeHidden:        "face_partially_hidden",
	61412:             "face_not_turned",
	61901:             "internal_error",
	61911:             "corrupted_videos",
	62305:             "face_not_live",
	62306:             "face_alteration",
	62307:             "asset_digital_alteration",
	codeMismatch:      "face_face_mismatch",
	62402:             "suspicious_device",
	62403:             "consent_unclear",
	codeFraud:         "known_fraudulent_face",
	codeRefusal:       "applicant_refusal",
	codeForciblyEnded: "forcibly_closed",
}
