package sandbox

import (
	"strings"

	"reauth/internal/event"
	"reauth/internal/sandbox/argossim"
	"reauth/internal/sandbox/s3sim"
	"reauth/internal/sandbox/vendorsim"
)

// Expectation is how a request must end.
type Expectation struct {
	// Outcome is empty for a request that never ends by itself: one that is
	// throttled for good, or whose answer is a fault of the whole lane for
	// good.
	Outcome event.Outcome
	Reasons []event.Reason
	// Charges is how many authentications the vendor makes for it, provided
	// that after a lost answer the vendor is asked before it is called again.
	Charges int
}

// Expect predicts how a request for a submission with a selfie below
// Options.SelfiePrefix ends, at simulators with DefaultKnobs and a consumer
// with its default limits. It knows nothing of what else may end a request,
// such as not_after.
func Expect(submissionID, selfieKey string) Expectation {
	if reason, bad := selfieReasons[s3sim.ParseScript(selfieKey).Fault]; bad {
		return Expectation{Outcome: event.Unusable, Reasons: []event.Reason{reason}}
	}
	script := argossim.ParseScript(submissionID, argossim.DefaultKnobs().Mix)
	m := script.Mishap
	switch {
	case m.Kind == vendorsim.NoMishap, m.Kind.Committed():
		return expectVerdict(script.Verdict)
	case m.Kind == argossim.ErrorAnswer:
		return expectError(m)
	case m.Times < vendorsim.Always:
		return expectVerdict(script.Verdict)
	case m.Kind == vendorsim.Throttled, m.Kind == vendorsim.ThrottleBare:
		return Expectation{}
	}
	return exhausted
}

// usualAttempts is the consumer's usual bound of attempts at one request.
const usualAttempts = 8

var exhausted = Expectation{Outcome: event.Failed, Reasons: []event.Reason{event.AttemptsExhausted}}

var selfieReasons = map[s3sim.Fault]event.Reason{
	s3sim.Missing:   event.SelfieNotFound,
	s3sim.NotImage:  event.SelfieNotImage,
	s3sim.Empty:     event.SelfieEmpty,
	s3sim.Truncated: event.SelfieTruncated,
	s3sim.PNGBomb:   event.SelfiePixels,
	s3sim.Huge:      event.SelfieTooLarge,
}

var failReasons = map[string]event.Reason{
	"face_compare_underscore": event.SimilarityBelowThreshold,
	"Face_Occluded_fail":      event.FaceOccluded,
	"Face_cover_fail":         event.FaceProtectionMissing,
	"Head_cover_fail":         event.HeadProtectionMissing,
}

func expectVerdict(v argossim.Verdict) Expectation {
	if v.Approved() {
		return Expectation{Outcome: event.Approved, Charges: 1}
	}
	if v.ErrorCode != "" {
		return expectError(vendorsim.Mishap{Code: v.ErrorCode, Times: vendorsim.Always})
	}
	e := Expectation{Outcome: event.Rejected, Charges: 1}
	for _, code := range v.FailCodes {
		reason, known := failReasons[code]
		if !known {
			reason = event.OtherRejection
		}
		e.Reasons = append(e.Reasons, reason)
	}
	return e
}

// expectError is for a request that is answered with an error code. Codes that
// put it down to the request end it at once, however often they would come.
func expectError(m vendorsim.Mishap) Expectation {
	end := func(outcome event.Outcome, reason event.Reason) Expectation {
		return Expectation{Outcome: outcome, Reasons: []event.Reason{reason}}
	}
	again := m.Times < vendorsim.Always
	switch strings.ToLower(m.Code) {
	case "no_face":
		return end(event.Unusable, event.NoFace)
	case "image_converting_error":
		return end(event.Unusable, event.SelfieNotImage)
	case "invalid_submissionid":
		return end(event.Ineligible, event.SubjectUnknown)
	case "invalid_submission_status":
		return end(event.Ineligible, event.SubjectNotApproved)
	case "invalid_data_format":
		return end(event.Failed, event.RequestRefused)
	case "invalid_projectid", "required_field_missing":
		if again {
			return expectVerdict(argossim.Verdict{})
		}
		return Expectation{}
	}
	if again { // what may pass, and what is new
		return expectVerdict(argossim.Verdict{})
	}
	return exhausted
}
