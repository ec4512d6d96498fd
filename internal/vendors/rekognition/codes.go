package rekognition

import (
	"net/http"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// Codes of ours for what Amazon says without an error type, as they stand in
// vendors.Error.
const (
	codeUnauthorized = "unauthorized"
	codeForbidden    = "forbidden"
	codeCredit       = "payment_required"
	// codeWrongAddress: nothing is served at the base URL.
	codeWrongAddress = "wrong_address"
	codeRedirected   = "redirected"
	codeProxy        = "proxy_authentication_required"
	codeTooLarge     = "request_too_large"
	// codeUnreadable: the answer is not the JSON that is documented.
	codeUnreadable = "unreadable_answer"
	// codeNoVerdict: the answer is JSON, with neither a comparison that can be
	// trusted nor a known error.
	codeNoVerdict = "no_verdict"
	// codeUnknown: an error type that is not in the table.
	codeUnknown = "unknown_error_type"
	// codeHidden: Amazon cannot read a reference that is there.
	codeHidden = "reference_hidden"
	// codeUnclear: Amazon cannot read a reference, and whether it is there
	// could not be found out.
	codeUnclear = "reference_unclear"

	// Found before anything is sent.
	codeCredentials      = "credentials_unusable"
	codeSelfieMissing    = "selfie_missing"
	codeReferenceMissing = "reference_missing"
)

// Error types of Amazon's that more than the table knows.
const (
	codeNoReference = "InvalidS3ObjectException"
	codeNoImage     = "InvalidImageFormatException"
	codeParameter   = "InvalidParameterException"
	codeValidation  = "ValidationException"
)

// meaning is what follows from an error type or a status: a verdict if outcome
// is set, else a fault of the kind.
type meaning struct {
	outcome event.Outcome
	reason  event.Reason
	kind    vendors.Kind
	// unknown: the comparison may have been made and billed all the same.
	unknown bool
}

func unusable(reason event.Reason) meaning {
	return meaning{outcome: event.Unusable, reason: reason}
}

func ineligible(reason event.Reason) meaning {
	return meaning{outcome: event.Ineligible, reason: reason}
}

var (
	laneFault = meaning{kind: vendors.LaneFault}
	throttled = meaning{kind: vendors.Throttled}
	refusal   = meaning{kind: vendors.Refused}
	// mayBeMade: something went wrong at a stage that nobody can tell.
	mayBeMade = meaning{kind: vendors.Transient, unknown: true}
	// unexplained: a 4xx of another type than Amazon's, or of a new one. An error
	// is not charged.
	unexplained = meaning{kind: vendors.Unexplained}
)

// errorTypes are those of CompareFaces (its API reference) and those common to
// Amazon's services ("Common errors" of the API references), some of which are
// written in two ways.
//
// An error about a picture does not say about which of the two. The selfie was
// looked at before (type, size, structure), the reference was not; so what the
// selfie cannot be is put down to the reference, and what either may be asks for
// a new selfie, which is free of harm and shows soon.
var errorTypes = map[string]meaning{
	codeParameter:            unusable(event.NoFace), // no face in one of the two
	codeNoImage:              unusable(event.SelfieUnreadable),
	"ImageTooLargeException": ineligible(event.ReferenceUnusable), // a selfie of 5 MiB is never sent
	codeNoReference:          ineligible(event.SubjectUnknown),    // or hidden, see lookFor

	"AccessDeniedException":               laneFault,
	"AccessDenied":                        laneFault,
	"UnrecognizedClientException":         laneFault,
	"InvalidClientTokenId":                laneFault,
	"InvalidSignatureException":           laneFault, // a wrong secret, or a wrong clock
	"SignatureDoesNotMatch":               laneFault,
	"IncompleteSignature":                 laneFault,
	"IncompleteSignatureException":        laneFault,
	"MissingAuthenticationToken":          laneFault,
	"MissingAuthenticationTokenException": laneFault,
	"ExpiredToken":                        laneFault,
	"ExpiredTokenException":               laneFault,
	"RequestExpired":                      laneFault, // a wrong clock
	"NotAuthorized":                       laneFault,
	"OptInRequired":                       laneFault,
	"SubscriptionRequiredException":       laneFault,
	"UnknownOperationException":           laneFault, // that is another service
	"InvalidAction":                       laneFault,

	"ProvisionedThroughputExceededException": throttled,
	"ThrottlingException":                    throttled, // also with HTTP 500
	"Throttling":                             throttled,
	"ThrottledException":                     throttled,
	"TooManyRequestsException":               throttled,
	"RequestLimitExceeded":                   throttled,

	"InternalServerError":         mayBeMade,
	"InternalFailure":             mayBeMade,
	"ServiceUnavailable":          mayBeMade,
	"ServiceUnavailableException": mayBeMade,
	"RequestTimeoutException":     mayBeMade,
	"RequestAbortedException":     mayBeMade,

	"RequestEntityTooLargeException": unusable(event.SelfieTooLarge),
	"RequestTooLargeException":       unusable(event.SelfieTooLarge),

	codeValidation:           refusal,
	"ValidationError":        refusal,
	"SerializationException": refusal,
}

// statuses are the HTTP statuses of answers without a known error type, which
// come from something in between. What is not here: see meaningOfStatus.
var statuses = []struct {
	status int
	code   string
	meaning
}{
	{http.StatusUnauthorized, codeUnauthorized, laneFault},
	{http.StatusPaymentRequired, codeCredit, laneFault},
	{http.StatusForbidden, codeForbidden, laneFault},
	{http.StatusNotFound, codeWrongAddress, laneFault},
	{http.StatusMethodNotAllowed, codeWrongAddress, laneFault},
	{http.StatusProxyAuthRequired, codeProxy, laneFault},
	{http.StatusRequestTimeout, "", mayBeMade},
	{http.StatusRequestEntityTooLarge, codeTooLarge, unusable(event.SelfieTooLarge)},
	{http.StatusTooManyRequests, "", throttled},
}

// meaningOfStatus is for an answer without a known error type. A 2xx is never a
// success here: that takes a comparison.
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
