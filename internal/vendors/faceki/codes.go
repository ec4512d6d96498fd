package faceki

import (
	"net/http"
	"strings"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// Codes of ours for what the vendor says without a code, as they stand in
// vendors.Error.
const (
	// codeTokenRefused: 401, or the vendor's code 1: the access token is
	// expired, revoked or not for this call.
	codeTokenRefused = "token_refused"
	// codeCredentials: client id and secret are refused.
	codeCredentials = "credentials_refused"
	// codeForbidden: 403, the plan is without face match, say.
	codeForbidden = "forbidden"
	codeCredit    = "payment_required"
	// codeWrongAddress: nothing is served at the base URL.
	codeWrongAddress = "wrong_address"
	codeRedirected   = "redirected"
	codeProxy        = "proxy_authentication_required"
	codeTooLarge     = "request_too_large"
	// codeUnreadable: the answer is not the JSON that is documented.
	codeUnreadable = "unreadable_answer"
	// codeNoVerdict: the answer is JSON, with neither a result that can be
	// trusted nor a known error.
	codeNoVerdict = "no_verdict"
	// codeUnknown: a code of the vendor's that is not in the table.
	codeUnknown = "unknown_code"
	// codeAmbiguous: see HoldAmbiguous.
	codeAmbiguous = "ambiguous"

	// Found before anything is sent.
	codeSecretUnusable    = "client_secret_unusable"
	codeSelfieMissing     = "selfie_missing"
	codeSubmissionMissing = "submission_id_missing"
)

// meaning is what follows from a code or a status: a verdict if outcome is set,
// else a fault of the kind.
type meaning struct {
	outcome event.Outcome
	reason  event.Reason
	kind    vendors.Kind
	// unknown: the search may have been made and billed all the same.
	unknown bool
	// token: the access token is to blame.
	token bool
}

func unusable(reason event.Reason) meaning {
	return meaning{outcome: event.Unusable, reason: reason}
}

func rejected(reason event.Reason) meaning {
	return meaning{outcome: event.Rejected, reason: reason}
}

var (
	laneFault = meaning{kind: vendors.LaneFault}
	refusal   = meaning{kind: vendors.Refused}
	tryAgain  = meaning{kind: vendors.Transient}
	mayBeMade = meaning{kind: vendors.Transient, unknown: true}
	badToken  = meaning{kind: vendors.LaneFault, token: true}
	// unexplained answers need not be the vendor's; whoever gives a 4xx has by
	// HTTP's meaning not done what was asked.
	unexplained = meaning{kind: vendors.Unexplained}
)

// errorCodes are the codes of both generations, which share one range of
// numbers: those above 6999 and 1000 are V2's (its client libraries), the others
// Blaze's (its documentation), where 8004 to 8019 keep their meaning. Codes of
// enrolment calls stand here as well: no list says which a search can return.
//
// 8013 is "person not found" on a search; 8006 is not, it is a photo without a
// face. 8017 and 5009 are used-up allowances, 5003 is a used-up credit.
var errorCodes = []struct {
	code, name string
	meaning
}{
	{"1", "UNAUTHORIZED", badToken},
	{"400", "BAD_REQUEST", refusal},
	{"500", "INTERNAL_SYSTEM_ERROR", mayBeMade},
	{"1000", "INTERNAL_SYSTEM_ERROR", mayBeMade},

	{"5001", "WORKFLOW_RULES_MISSING", laneFault},
	{"5002", "INVALID_MISSING_REQUEST_FIELDS", refusal},
	{"5003", "NOT_ENOUGH_WALLET_CREDIT", laneFault},
	{"5004", "SELFIE_LIVENESS_FAILED", rejected(event.FaceNotLive)},
	{"5005", "DOCUMENT_FACE_MATCH_FAILED", rejected(event.FaceMismatch)},
	{"5006", "REQUIRED_DOCUMENT_MISSING", refusal},
	{"5007", "MISMATCH_AS_PER_RULES", rejected(event.OtherRejection)},
	{"5008", "KYC_FAILED", rejected(event.OtherRejection)},
	{"5009", "LINK_LIMIT_REACH", laneFault},
	{"5010", "EXPIRED_DOCUMENT", rejected(event.OtherRejection)},
	{"5011", "EXPIRY_NOT_FOUND", rejected(event.OtherRejection)},

	{"7001", "NO_RULES_FOR_COMPANY", laneFault},
	{"8001", "NEED_REQUIRED_IMAGES", refusal},
	{"8002", "DOCUMENT_VERIFY_FAILED", rejected(event.OtherRejection)},
	{"8003", "PLEASE_TRY_AGAIN", tryAgain},
	{"8004", "FACE_CROPPED", unusable(event.FaceCropped)},
	{"8005", "FACE_TOO_CLOSED", unusable(event.FaceTooClose)},
	{"8006", "FACE_NOT_FOUND", unusable(event.NoFace)},
	{"8007", "FACE_CLOSED_TO_BORDER", unusable(event.FaceAtBorder)},
	{"8008", "FACE_TOO_SMALL", unusable(event.FaceTooSmall)},
	{"8009", "POOR_LIGHT", unusable(event.PoorLight)},
	{"8010", "ID_VERIFY_FAIL", rejected(event.OtherRejection)},
	{"8011", "DL_VERIFY_FAIL", rejected(event.OtherRejection)},
	{"8012", "PASSPORT_VERIFY_FAIL", rejected(event.OtherRejection)},
	{"8013", "DATA_NOT_FOUND", rejected(event.NoMatch)},
	{"8014", "INVALID_VERIFICATION_LINK", refusal},
	{"8015", "VERIFICATION_LINK_EXPIRED", refusal},
	{"8016", "FAIL_TO_GENERATE_LINK", tryAgain},
	{"8017", "KYC_VERIFICATION_LIMIT_REACHED", laneFault},
	{"8018", "SELFIE_MULTIPLE_FACES", unusable(event.MultipleFaces)},
	{"8019", "FACE_BLURR", unusable(event.FaceBlurred)},
	{"8020", "MISSING_ID_CARD", refusal},
	{"8021", "MISSING_PASSPORT", refusal},
	{"8022", "MISSING_DL", refusal},
}

// meaningOfCode finds a code, or its name in any letter case, in the table.
func meaningOfCode(s string) (code string, m meaning, known bool) {
	if s == "" {
		return "", meaning{}, false
	}
	for _, row := range errorCodes {
		if s == row.code || strings.EqualFold(s, row.name) {
			return row.code, row.meaning, true
		}
	}
	return "", meaning{}, false
}

// statuses are the HTTP statuses of answers without a known code: 422 is seen on
// the token call and 401 on another, the rest is what HTTP means by them. What
// is not here: see meaningOfStatus.
var statuses = []struct {
	status int
	code   string
	meaning
}{
	{http.StatusUnauthorized, codeTokenRefused, badToken},
	{http.StatusPaymentRequired, codeCredit, laneFault},
	{http.StatusForbidden, codeForbidden, laneFault},
	{http.StatusNotFound, codeWrongAddress, laneFault},
	{http.StatusMethodNotAllowed, codeWrongAddress, laneFault},
	{http.StatusProxyAuthRequired, codeProxy, laneFault},
	{http.StatusRequestTimeout, "", mayBeMade},
	{http.StatusRequestEntityTooLarge, codeTooLarge, unusable(event.SelfieTooLarge)},
	{http.StatusTooManyRequests, "", meaning{kind: vendors.Throttled}},
}

// meaningOfStatus is for an answer without a known code. A 2xx is never a
// success here: that takes a result.
func meaningOfStatus(status int) (code string, m meaning) {
	for _, row := range statuses {
		if row.status == status {
			return row.code, row.meaning
		}
	}
	switch status / 100 {
	case 2:
		return codeNoVerdict, mayBeMade
	case 3:
		return codeRedirected, laneFault
	case 4:
		return "", unexplained
	}
	return "", mayBeMade
}
