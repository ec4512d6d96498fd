package sandbox

import (
	"reauth/internal/event"
	"reauth/internal/sandbox/checkoutsim"
	"reauth/internal/sandbox/vendorsim"
)

// checkoutLinks is how many links the consumer usually sends one person at most.
const checkoutLinks = 3

// ExpectCheckout predicts how a request to Checkout.com about the applicant ends,
// as Expect does, with a consumer that waits for the person longer than all links
// together live, and that asks for the list of attempts before it repeats one
// whose answer it did not get. It predicts the first result, which an audit may
// correct. Charges are those of captures that were checked, also where the
// consumer could not find out.
func ExpectCheckout(applicantID string) Expectation {
	script := checkoutsim.ParseScript(applicantID)
	if reason, bad := applicantReasons[script.Refusal]; bad && !lasting(script, checkoutsim.CallCreate) {
		return Expectation{Outcome: event.Ineligible, Reasons: []event.Reason{reason}}
	}
	first, whole := played(script, 1), played(script, checkoutLinks)
	_, hindered := script.After(0)
	attempt := script.Mishaps[checkoutsim.CallAttempt].Kind
	switch {
	case lasting(script, checkoutsim.CallCreate):
		return stuck(script, checkoutsim.CallCreate, 0)
	case lasting(script, checkoutsim.CallAttempt) && !attempt.Committed():
		return stuck(script, checkoutsim.CallAttempt, 0)
	case attempt.Committed() && lasting(script, checkoutsim.CallList):
		return stuck(script, checkoutsim.CallList, first.Charges)
	case lasting(script, checkoutsim.CallGet):
		return stuck(script, checkoutsim.CallGet, first.Charges)
	case hindered && lasting(script, checkoutsim.CallShow):
		return stuck(script, checkoutsim.CallShow, first.Charges)
	}
	return whole
}

// lasting reports whether a call goes wrong each time that it is made.
func lasting(s checkoutsim.Script, c checkoutsim.Call) bool {
	return s.Mishaps[c].Times >= vendorsim.Always
}

// stuck is for a call that goes wrong each time.
func stuck(s checkoutsim.Script, c checkoutsim.Call, charges int) Expectation {
	switch s.Mishaps[c].Kind {
	case vendorsim.Throttled, vendorsim.ThrottleBare:
		return Expectation{Charges: charges}
	}
	return Expectation{exhausted.Outcome, exhausted.Reasons, charges}
}

// played is what comes of at most so many links.
func played(s checkoutsim.Script, links int) Expectation {
	if s.Manual {
		return nobodyCame
	}
	charges := 0
	for met := range links {
		h, ok := s.After(met)
		if !ok {
			return expectChecked(s, charges)
		}
		if h.Kind == checkoutsim.Unclear {
			charges++
		}
		if met+1 < links {
			continue
		}
		if h.Kind == checkoutsim.NoShow {
			return Expectation{nobodyCame.Outcome, nobodyCame.Reasons, charges}
		}
		reason, known := videoReasons[h.Code]
		if !known {
			reason = event.AttemptsExhausted
		}
		return Expectation{event.Unusable, []event.Reason{reason}, charges}
	}
	return nobodyCame
}

// expectChecked is for a person with whom the vendor came to an end, after so
// many charges.
func expectChecked(s checkoutsim.Script, charges int) Expectation {
	switch s.Verdict {
	case checkoutsim.Approved:
		return Expectation{Outcome: event.Approved, Charges: charges + 1}
	case checkoutsim.Refused:
		return Expectation{event.Rejected, []event.Reason{event.SubjectRefused}, charges}
	case checkoutsim.Inconclusive:
		return Expectation{event.Rejected, []event.Reason{event.Inconclusive}, charges}
	}
	reason, known := declineReasons[s.Code]
	if !known {
		reason = event.OtherRejection
	}
	return Expectation{event.Rejected, []event.Reason{reason}, charges + 1}
}

var nobodyCame = Expectation{Outcome: event.Expired, Reasons: []event.Reason{event.NotAfterPassed}}

var applicantReasons = map[string]event.Reason{
	"applicant_id__not_found":     event.SubjectUnknown,
	"applicant_id__no_face_video": event.SubjectNotApproved,
	"applicant_id__anonymized":    event.SubjectNotApproved,
}

// declineReasons and videoReasons are those of response codes.
var (
	declineReasons = map[int]event.Reason{
		62305: event.FaceNotLive, 62306: event.FaceAltered, 62307: event.FaceAltered, 62321: event.FaceMismatch,
		62402: event.SuspiciousDevice, 62403: event.ConsentUnclear, 62405: event.KnownFraud,
	}
	videoReasons = map[int]event.Reason{
		61401: event.FaceBlurred, 61402: event.PoorLight, 61410: event.NoFace, 61411: event.FaceOccluded,
	}
)
