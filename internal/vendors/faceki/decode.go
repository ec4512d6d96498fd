package faceki

import (
	"net/http"
	"strconv"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// decode reads the answer to a search. The body decides before the status, since
// coded errors may come with 200 or with 4xx; only 401 is about the token
// whatever the body says. A success that comes with another status than 2xx is
// an unknown outcome: something broke on the way.
func (a *Adapter) decode(answer vendors.Answer, expected string) (vendors.Verdict, error) {
	s := readAnswer(answer)
	if found, ok := a.api.found(s); ok && answer.Status != http.StatusUnauthorized {
		if answer.Status/100 != 2 {
			return vendors.Verdict{}, a.fault(opAuthenticate, answer, codeNoVerdict, meaning{kind: vendors.Transient, unknown: true})
		}
		return a.conclude(answer, a.api.decide(found, expected))
	}
	code, m := meaningOf(answer, s)
	if m.outcome == "" {
		return vendors.Verdict{}, a.fault(opAuthenticate, answer, code, m)
	}
	return vendors.Verdict{
		Outcome:  m.outcome,
		Reasons:  []event.Reason{m.reason},
		Codes:    []string{code},
		Liveness: event.LivenessNone,
	}, nil
}

// conclude makes the verdict of a search that went well; the empty reason is an
// approval.
func (a *Adapter) conclude(answer vendors.Answer, reason event.Reason) (vendors.Verdict, error) {
	switch reason {
	case "":
		return vendors.Verdict{Outcome: event.Approved, Liveness: event.LivenessNone}, nil
	case event.MatchedOtherPerson:
		a.otherPerson.Inc()
	case event.Ambiguous:
		if a.onAmbiguous == HoldAmbiguous {
			return vendors.Verdict{}, a.fault(opAuthenticate, answer, codeAmbiguous, meaning{kind: vendors.Refused})
		}
	}
	return vendors.Verdict{
		Outcome:  event.Rejected,
		Reasons:  []event.Reason{reason},
		Liveness: event.LivenessNone,
	}, nil
}

// meaningOf is for an answer that is no success.
func meaningOf(answer vendors.Answer, s said) (code string, m meaning) {
	if answer.Status == http.StatusUnauthorized {
		return codeTokenRefused, meaning{kind: vendors.LaneFault, token: true}
	}
	if code, m, known := s.knownError(); known {
		if m.token {
			code = codeTokenRefused
		}
		// An error of theirs on a 5xx may hide more than it says.
		m.unknown = m.unknown || m.kind == vendors.Transient && answer.Status >= 500
		return code, m
	}
	status := s.statusOf(answer.Status)
	switch {
	case answer.Err != nil && mayBeCoded(status):
		// The code that would have decided is in the part that is missing.
		return codeUnreadable, meaning{kind: vendors.Transient, unknown: true}
	case s.isCoded() && mayBeCoded(status):
		// It is the vendor's own word: it has looked at the call.
		return codeUnknown, meaning{kind: vendors.Unexplained, unknown: true}
	}
	code, m = meaningOfStatus(status)
	switch {
	case m.kind == vendors.Unexplained && answer.Err != nil:
		return codeUnreadable, mayBeMade
	case m.kind == vendors.Unexplained && mayBeCoded(status) && s.statusCode != scalar{}:
		return "", refusal // in the envelope that the vendor's errors from before the service have
	case code == codeNoVerdict && isZero(s):
		code = codeUnreadable
	}
	return code, m
}

// knownError looks for a code of the table in every place of one.
func (s said) knownError() (code string, m meaning, known bool) {
	for _, c := range []scalar{s.responseCode, s.code, s.errorCode} {
		if code, m, known := meaningOfCode(c.text); known {
			return code, m, true
		}
	}
	return "", meaning{}, false
}

// statusOf is the status of the answer, or the one that the body of a success
// puts in its place.
func (s said) statusOf(status int) int {
	for _, c := range []scalar{s.statusCode, s.code} {
		if n, err := strconv.Atoi(c.text); status/100 == 2 && err == nil && n >= 400 && n <= 599 {
			return n
		}
	}
	return status
}

// isCoded says whether there is a number where V2 has its code, and not that of
// success. It is one that codes.go lacks if it gets here.
func (s said) isCoded() bool {
	n, err := strconv.Atoi(s.responseCode.text)
	return err == nil && n != 0
}

// mayBeCoded are the statuses that say less than a code, even an unknown one.
func mayBeCoded(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return status/100 == 2
}

// isZero says whether nothing was read that could mean something.
func isZero(s said) bool {
	return s.responseCode == scalar{} && s.code == scalar{} && s.statusCode == scalar{} && s.status == scalar{} && s.verified == scalar{}
}

// fault makes the error.
func (a *Adapter) fault(op string, answer vendors.Answer, code string, m meaning) error {
	e := &vendors.Error{
		Vendor:  event.Faceki,
		Kind:    m.kind,
		Op:      op,
		Status:  answer.Status,
		Code:    code,
		Unknown: m.unknown,
		Err:     answer.Err,
	}
	if m.outcome != "" {
		e.Kind = vendors.Refused
	}
	if e.Kind == vendors.Throttled || answer.Status == http.StatusRequestTimeout || answer.Status >= 500 {
		e.RetryAfter = vendors.RetryAfter(answer.Header, a.now())
	}
	return e
}
