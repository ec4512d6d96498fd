package argos

import (
	"net/http"
	"strings"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// Codes of ours for what the vendor says without a code, as they stand in
// vendors.Error.
const (
	// codeForbiddenKey: 403 "Forbidden", the key is missing or wrong.
	codeForbiddenKey = "forbidden_key"
	// codeForbiddenAddress: 403 "… explicit deny", our address is not on the
	// vendor's allow-list.
	codeForbiddenAddress = "forbidden_address"
	// codeForbidden: 403 in other words.
	codeForbidden = "forbidden"
	// codeWrongAddress: nothing is served at the base URL.
	codeWrongAddress = "wrong_address"
	codeRedirected   = "redirected"
	codeCredit       = "payment_required"
	codeProxy        = "proxy_authentication_required"
	codeTooLarge     = "request_too_large"
	// codeUnreadable: the answer is not the JSON that is documented.
	codeUnreadable = "unreadable_answer"
	// codeNoVerdict: the answer is JSON, with neither a verdict that can be
	// trusted nor a known error.
	codeNoVerdict = "no_verdict"
	// codeFindIncomplete: the list has more pages than Find reads, or pages
	// that cannot be followed.
	codeFindIncomplete = "find_incomplete"

	// Found before anything is sent.
	codeKeyUnusable       = "api_key_unusable"
	codeSelfieMissing     = "selfie_missing"
	codeSubmissionMissing = "submission_id_missing"
	codeReferenceInvalid  = "reference_invalid"
)

// meaning is what follows from a code or a status: a verdict if outcome is set,
// else a fault of the kind.
type meaning struct {
	outcome event.Outcome
	reason  event.Reason
	kind    vendors.Kind
	// unknown: a result may exist at the vendor all the same.
	unknown bool
}

// errorCodes are the vendor's error codes with the text that may stand in place
// of the code (Argos developer site). Letter case is ignored in both. Those
// without a code are texts of DELETE and GET /faceauth.
//
// required_field_missing is also raised for a missing API key. The adapter
// never leaves a required field out nor sends an empty one, so that it cannot
// be this request's fault: the key did not arrive or the contract has changed,
// and every call would fail.
//
// invalid_data_format stays with the request: our form has one shape, and what
// differs between two calls is data.
var errorCodes = []struct {
	code, text string
	meaning
}{
	{"invalid_data_format", "Data parsing error. Please check input data.", meaning{kind: vendors.Refused}},
	{"required_field_missing", "Required field is missing", meaning{kind: vendors.LaneFault}},
	{"image_converting_error", "Image converting error", meaning{outcome: event.Unusable, reason: event.SelfieNotImage}},
	{"no_face", "Face is not detected", meaning{outcome: event.Unusable, reason: event.NoFace}},
	{"Invalid_projectId", "Fail to find the project data", meaning{kind: vendors.LaneFault}},
	{"Invalid_submissionId", "Fail to find the submission data", meaning{outcome: event.Ineligible, reason: event.SubjectUnknown}},
	{"invalid_submission_status", "The submission must be approved to process face authentication", meaning{outcome: event.Ineligible, reason: event.SubjectNotApproved}},
	{"image_processing_error", "Image processing error", meaning{kind: vendors.Transient}},
	{"detection_server_error", "Cannot finish process of detecting face", meaning{kind: vendors.Transient}},
	{"data_processing_error", "Data processing error", meaning{kind: vendors.Transient, unknown: true}},

	{"", "required key is missing", meaning{kind: vendors.LaneFault}},
	{"", "error in processing data", meaning{kind: vendors.Transient, unknown: true}},
	{"", "error in delete submission", meaning{kind: vendors.Transient, unknown: true}},
	{codeNoSubmission, "Cannot find submission. Please check input data.", meaning{kind: vendors.Refused}},
}

// codeNoSubmission is ours for DELETE's text about an unknown authentication.
const codeNoSubmission = "cannot_find_submission"

// failCodes are the codes of a rejection (Argos developer site, which mixes
// letter case). Any other is event.OtherRejection.
var failCodes = []struct {
	code   string
	reason event.Reason
}{
	{"face_compare_underscore", event.SimilarityBelowThreshold},
	{"Face_Occluded_fail", event.FaceOccluded},
	{"Face_cover_fail", event.FaceProtectionMissing},
	{"Head_cover_fail", event.HeadProtectionMissing},
}

// scoreNames are our names of the vendor's scores, 0 to 100 both.
var scoreNames = []struct{ theirs, ours string }{
	{"face_similarity_score", "similarity"},
	{"occluded_score", "occlusion"},
	{"face_cover_score", "face_cover"},
	{"head_cover_score", "head_cover"},
}

// statuses are the HTTP statuses of answers without a known code. Argos
// documents 400, 403, 413, 500 and 502 for its add-ons; the others are what
// HTTP means by them. What is not here: see meaningOfStatus.
var statuses = []struct {
	status int
	code   string
	meaning
}{
	{http.StatusUnauthorized, codeForbiddenKey, meaning{kind: vendors.LaneFault}},
	{http.StatusPaymentRequired, codeCredit, meaning{kind: vendors.LaneFault}},
	{http.StatusForbidden, codeForbidden, meaning{kind: vendors.LaneFault}}, // refined by forbidden
	{http.StatusNotFound, codeWrongAddress, meaning{kind: vendors.LaneFault}},
	{http.StatusMethodNotAllowed, codeWrongAddress, meaning{kind: vendors.LaneFault}},
	{http.StatusProxyAuthRequired, codeProxy, meaning{kind: vendors.LaneFault}},
	{http.StatusRequestTimeout, "", meaning{kind: vendors.Transient, unknown: true}},
	{http.StatusRequestEntityTooLarge, codeTooLarge, meaning{outcome: event.Unusable, reason: event.SelfieTooLarge}},
	{http.StatusTooManyRequests, "", meaning{kind: vendors.Throttled}},
}

// meaningOfStatus is for an answer without a known code. A 2xx is never a
// success here: that takes a verdict. A 4xx that is not in the table need not be
// the vendor's, and whoever gives it has by HTTP's meaning not done what was asked.
func meaningOfStatus(status int) (code string, m meaning) {
	for _, row := range statuses {
		if row.status == status {
			return row.code, row.meaning
		}
	}
	switch status / 100 {
	case 2:
		return codeNoVerdict, meaning{kind: vendors.Transient, unknown: true}
	case 3:
		return codeRedirected, meaning{kind: vendors.LaneFault}
	case 4:
		return "", meaning{kind: vendors.Unexplained}
	}
	return "", meaning{kind: vendors.Transient, unknown: true}
}

// meaningOfCode finds a code, or a text in place of one, in the table. The name
// is the code as in the table, "" for a text that has none.
func meaningOfCode(s string) (code string, m meaning, known bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", meaning{}, false
	}
	for _, row := range errorCodes {
		if strings.EqualFold(s, row.code) || strings.EqualFold(withoutStop(s), withoutStop(row.text)) {
			return row.code, row.meaning, true
		}
	}
	return "", meaning{}, false
}

// withoutStop makes a sentence comparable: some pages end it with a full stop.
func withoutStop(text string) string { return strings.TrimRight(text, ". ") }

// forbidden tells the two documented texts of 403 apart. A third is the cloud
// gateway's for a path that it does not serve.
func forbidden(message string) string {
	message = strings.ToLower(strings.TrimSpace(message))
	switch {
	case message == "forbidden":
		return codeForbiddenKey
	case strings.Contains(message, "explicit deny"):
		return codeForbiddenAddress
	case message == "missing authentication token":
		return codeWrongAddress
	}
	return codeForbidden
}

// reasonOf is the reason behind a fail code.
func reasonOf(failCode string) event.Reason {
	for _, row := range failCodes {
		if strings.EqualFold(failCode, row.code) {
			return row.reason
		}
	}
	return event.OtherRejection
}
