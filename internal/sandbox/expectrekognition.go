package sandbox

import (
	"reauth/internal/event"
	"reauth/internal/sandbox/rekognitionsim"
	"reauth/internal/sandbox/s3sim"
	"reauth/internal/sandbox/vendorsim"
)

// rekognitionThreshold is the consumer's usual least similarity of an approval.
const rekognitionThreshold = 90

// ExpectRekognition predicts how a request to Amazon Rekognition ends whose selfie
// and reference are both below Options.SelfiePrefix: as Expect, with a consumer
// that lets the quality filter be Amazon's, that looks for references which Amazon
// cannot read, and that repeats calls of unknown outcome, since this vendor cannot
// be asked.
func ExpectRekognition(r event.Request) Expectation {
	if reason, bad := selfieReasons[s3sim.ParseScript(r.SelfieKey).Fault]; bad {
		return Expectation{Outcome: event.Unusable, Reasons: []event.Reason{reason}}
	}
	found := expectCompared(r)
	m := rekognitionsim.ParseScript(r.SelfieKey).Mishap
	lasting := m.Times >= usualAttempts
	switch {
	case m.Kind == rekognitionsim.ErrorAnswer:
		return expectErrorType(m.Code, lasting, found)
	case m.Kind == vendorsim.NoMishap, m.Kind.Committed() && found.Charges == 0:
		return found
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

// expectCompared is for a call that gets as far as the pictures.
func expectCompared(r event.Request) Expectation {
	end := func(outcome event.Outcome, reason event.Reason, charges int) Expectation {
		return Expectation{outcome, []event.Reason{reason}, charges}
	}
	selfie, reference := rekognitionsim.ParseScript(r.SelfieKey), rekognitionsim.ParseScript(r.ReferenceKey)
	switch s3sim.ParseScript(r.ReferenceKey).Fault {
	case s3sim.PNGBomb: // which bears no name
		reference = rekognitionsim.ParseScript("")
	case s3sim.Missing:
		return end(event.Ineligible, event.SubjectUnknown, 0)
	case s3sim.NotImage, s3sim.Empty, s3sim.Truncated, s3sim.Huge:
		return end(event.Unusable, event.SelfieUnreadable, 0)
	}
	switch {
	case selfie.NoFace, reference.NoFace, reference.Dim && !reference.Two:
		return end(event.Unusable, event.NoFace, 0)
	case selfie.Dim && !selfie.Two:
		return end(event.Unusable, event.NoFace, 1)
	case selfie.Two && !selfie.Dim:
		return end(event.Unusable, event.MultipleFaces, 1)
	case similarity(r, selfie, reference) < rekognitionThreshold:
		return end(event.Rejected, event.SimilarityBelowThreshold, 1)
	}
	return Expectation{Outcome: event.Approved, Charges: 1}
}

// similarity of the only face of a selfie to that of the reference. A picture
// without a script is like itself only; of a dim person and somebody else it is
// the other who is seen.
func similarity(r event.Request, selfie, reference rekognitionsim.Script) float64 {
	scripted := selfie.Person != "" || reference.Person != ""
	switch {
	case selfie.Dim != reference.Dim, scripted && selfie.Person != reference.Person, !scripted && r.SelfieKey != r.ReferenceKey:
		return rekognitionsim.Unlike
	case selfie.Dim:
		return rekognitionsim.Alike
	}
	return min(selfie.Alike, reference.Alike)
}

// expectErrorType is for a request that is answered with an error of Amazon's, for
// good if lasting. Types that put it down to the request end it at once.
func expectErrorType(errorType string, lasting bool, otherwise Expectation) Expectation {
	end := func(outcome event.Outcome, reason event.Reason) Expectation {
		return Expectation{Outcome: outcome, Reasons: []event.Reason{reason}}
	}
	switch errorType {
	case "InvalidParameterException":
		return end(event.Unusable, event.NoFace)
	case "InvalidImageFormatException":
		return end(event.Unusable, event.SelfieUnreadable)
	case "RequestEntityTooLargeException":
		return end(event.Unusable, event.SelfieTooLarge)
	case "ImageTooLargeException":
		return end(event.Ineligible, event.ReferenceUnusable)
	case "ValidationException", "SerializationException":
		return end(event.Failed, event.RequestRefused)
	case "InvalidS3ObjectException":
		// Which is so, or the reference is there and hidden for a while.
		if otherwise.Outcome == event.Ineligible {
			return otherwise
		}
	}
	if !lasting {
		return otherwise
	}
	switch errorType {
	case "InvalidS3ObjectException", "InternalServerError", "ServiceUnavailableException":
		return exhausted
	}
	return Expectation{} // the caller's rights or its rate: a matter of the whole lane
}
