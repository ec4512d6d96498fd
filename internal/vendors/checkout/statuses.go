package checkout

import (
	"slices"
	"strconv"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// Statuses of a face authentication, from the vendor's client libraries.
const (
	created           = "created"
	pending           = "pending" // a link is out, or being opened
	captureInProgress = "capture_in_progress"
	checksInProgress  = "checks_in_progress"
	retryRequired     = "retry_required"
	approved          = "approved"
	declined          = "declined"
	refusedByPerson   = "refused"
	inconclusive      = "inconclusive"
)

// Statuses of an attempt, from the same place; terminated is in the pages of the
// engine behind the product: a newer attempt has closed this one. It has
// captureInProgress and checksInProgress as well.
const (
	pendingRedirection = "pending_redirection"
	captureAborted     = "capture_aborted"
	captureRefused     = "capture_refused"
	expired            = "expired"
	checksInconclusive = "checks_inconclusive"
	completed          = "completed"
	terminated         = "terminated"
)

// neverStarted is the response code of an attempt to which nobody came.
const neverStarted = 61101

// outcomes are those of the final statuses.
var outcomes = map[string]event.Outcome{
	approved:        event.Approved,
	declined:        event.Rejected,
	refusedByPerson: event.Rejected,
	inconclusive:    event.Rejected,
}

// declineReasons are the response codes that go with declined.
var declineReasons = map[int]event.Reason{
	62305: event.FaceNotLive,
	62306: event.FaceAltered, // the face
	62307: event.FaceAltered, // the recording
	62321: event.FaceMismatch,
	62402: event.SuspiciousDevice,
	62403: event.ConsentUnclear,
	62405: event.KnownFraud,
}

// retryReasons are the response codes that go with retry_required and say what
// was wrong with the video. The others say why there was none: 61111, 61113,
// 61121 the person; 61201 to 61203 the device; 61901 and 61911 the vendor; 61412,
// a face that was not turned, has no reason of its own.
var retryReasons = map[int]event.Reason{
	61401: event.FaceBlurred,
	61402: event.PoorLight,
	61410: event.NoFace,
	61411: event.FaceOccluded, // in part
}

// verdict returns the verdict that there is, and whether there is one. The
// status decides; codes are only reasons.
func (f faceAuthentication) verdict() (v vendors.Verdict, final bool) {
	outcome, final := outcomes[f.Status]
	if !final {
		return vendors.Verdict{}, false
	}
	v = vendors.Verdict{
		Outcome:   outcome,
		Codes:     texts(f.Codes),
		Reference: f.ID,
		Liveness:  event.LivenessVendor,
		At:        f.ModifiedOn.Time,
	}
	switch f.Status {
	case declined:
		v.Reasons = reasonsOf(declineReasons, f.Codes, event.OtherRejection)
	case refusedByPerson:
		v.Reasons = []event.Reason{event.SubjectRefused}
	case inconclusive:
		v.Reasons = []event.Reason{event.Inconclusive}
	}
	return v, true
}

// exhausted is the verdict when the last attempt that is allowed came to
// nothing. came tells whether somebody came to it.
func exhausted(fav string, codes []int, came bool) vendors.Verdict {
	if !came {
		return overdue(fav, codes)
	}
	return vendors.Verdict{
		Outcome:   event.Unusable,
		Reasons:   reasonsOf(retryReasons, codes, event.AttemptsExhausted),
		Codes:     texts(codes),
		Reference: fav,
		Liveness:  event.LivenessVendor,
	}
}

// overdue is the verdict when nobody came in time.
func overdue(fav string, codes []int) vendors.Verdict {
	return vendors.Verdict{
		Outcome:   event.Expired,
		Reasons:   []event.Reason{event.NotAfterPassed},
		Codes:     texts(codes),
		Reference: fav,
		Liveness:  event.LivenessNone,
	}
}

// ineligible is the verdict on a person whom the vendor cannot authenticate.
func ineligible(fav string, reason event.Reason, codes []string) vendors.Verdict {
	return vendors.Verdict{
		Outcome:   event.Ineligible,
		Reasons:   []event.Reason{reason},
		Codes:     codes,
		Reference: fav,
		Liveness:  event.LivenessNone,
	}
}

// reasonsOf returns the reasons of codes, each once, or otherwise if there are
// none.
func reasonsOf(table map[int]event.Reason, codes []int, otherwise event.Reason) []event.Reason {
	var reasons []event.Reason
	for _, code := range codes {
		if reason, known := table[code]; known && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	if reasons == nil {
		return []event.Reason{otherwise}
	}
	return reasons
}

func texts(codes []int) []string {
	var all []string
	for _, code := range codes {
		all = append(all, strconv.Itoa(code))
	}
	return all
}
