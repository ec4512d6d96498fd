package sandbox

import (
	"strings"

	"reauth/internal/event"
	"reauth/internal/sandbox/facekisim"
	"reauth/internal/sandbox/s3sim"
	"reauth/internal/sandbox/vendorsim"
)

// ExpectFaceki predicts how a request to FACEKI's V2 ends that expects the person
// enrolled under submissionID on the selfie: as Expect, with a consumer that
// repeats calls of unknown outcome, since this vendor cannot be asked.
func ExpectFaceki(submissionID, selfieKey string) Expectation {
	if reason, bad := selfieReasons[s3sim.ParseScript(selfieKey).Fault]; bad {
		return Expectation{Outcome: event.Unusable, Reasons: []event.Reason{reason}}
	}
	script := facekisim.ParseScript(selfieKey)
	found := expectFound(strings.TrimSpace(submissionID), script)
	m := script.Mishap
	lasting := m.Times >= usualAttempts
	switch {
	case m.Kind == vendorsim.NoMishap:
		return found
	case m.Kind == facekisim.ErrorAnswer:
		return expectFacekiCode(m.Code, lasting, found)
	case m.Kind.Committed() && lasting:
		return Expectation{exhausted.Outcome, exhausted.Reasons, usualAttempts}
	case m.Kind.Committed():
		found.Charges += m.Times
		return found
	case !lasting:
		return found
	case m.Kind == vendorsim.Throttled, m.Kind == vendorsim.ThrottleBare:
		return Expectation{}
	}
	return exhausted
}

// expectFound is for a search that went well.
func expectFound(expected string, s facekisim.Script) Expectation {
	is, other := expected == s.Reference, expected == facekisim.Other(s.Reference)
	rejected := func(reason event.Reason) Expectation {
		return Expectation{Outcome: event.Rejected, Reasons: []event.Reason{reason}, Charges: 1}
	}
	switch s.Find {
	case facekisim.FindNobody, facekisim.FindNobody8013, facekisim.FindNobody404:
		return rejected(event.NoMatch)
	case facekisim.FindNoRecords:
		return rejected(event.NoRecord)
	case facekisim.FindOther:
		is = other
	case facekisim.FindTwo:
		if is || other {
			return rejected(event.Ambiguous)
		}
	case facekisim.FindAgain:
		if other {
			return rejected(event.RecordNotActive)
		}
	}
	if !is {
		return rejected(event.MatchedOtherPerson)
	}
	switch s.Find {
	case facekisim.FindDeleted, facekisim.FindDeclined, facekisim.FindReview:
		return rejected(event.RecordNotActive)
	case facekisim.FindStray:
		return rejected(event.Inconsistent)
	}
	return Expectation{Outcome: event.Approved, Charges: 1}
}

// photoCodes are about the selfie.
var photoCodes = map[string]event.Reason{
	"8004": event.FaceCropped, "8005": event.FaceTooClose, "8006": event.NoFace, "8007": event.FaceAtBorder,
	"8008": event.FaceTooSmall, "8009": event.PoorLight, "8018": event.MultipleFaces, "8019": event.FaceBlurred,
}

// rejectingCodes are about the person.
var rejectingCodes = map[string]event.Reason{
	"8013": event.NoMatch, "5004": event.FaceNotLive, "5005": event.FaceMismatch,
	"8002": event.OtherRejection, "8010": event.OtherRejection, "8011": event.OtherRejection, "8012": event.OtherRejection,
	"5007": event.OtherRejection, "5008": event.OtherRejection, "5010": event.OtherRejection, "5011": event.OtherRejection,
}

// expectFacekiCode is for a request that is answered with an error code, for
// good if lasting. Codes that put it down to the request end it at once.
func expectFacekiCode(code string, lasting bool, otherwise Expectation) Expectation {
	if reason, known := photoCodes[code]; known {
		return Expectation{Outcome: event.Unusable, Reasons: []event.Reason{reason}}
	}
	if reason, known := rejectingCodes[code]; known {
		return Expectation{Outcome: event.Rejected, Reasons: []event.Reason{reason}}
	}
	switch code {
	case "400", "5002", "5006", "8001", "8014", "8015", "8020", "8021", "8022":
		return Expectation{Outcome: event.Failed, Reasons: []event.Reason{event.RequestRefused}}
	}
	if !lasting {
		return otherwise
	}
	switch code {
	case "1", "5001", "5003", "5009", "7001", "8017":
		return Expectation{}
	}
	return exhausted
}
