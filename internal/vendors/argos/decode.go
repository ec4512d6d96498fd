package argos

import (
	"net/http"
	"slices"
	"strings"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// decode reads the answer to POST /faceauth. The body decides before the
// status: the vendor does not say with which status rejections and errors come.
// First a verdict, then a known error, then the status.
//
// Fail closed: approved is only an answer of 2xx whose auth_status is approved
// and that carries neither a fail code nor an error. Approved with one of them
// contradicts itself; asking again would cost a call and likely bring the same,
// so it is a rejection with event.Inconsistent. Approved with a status other
// than 2xx is an unknown outcome: something broke on the way, and the vendor
// can be asked what it decided. So is an auth_status of a third kind.
func (a *Adapter) decode(answer vendors.Answer) (vendors.Verdict, error) {
	o := objectOf(answer)
	if status := o.text("auth_status"); status != "" {
		v, ok := verdict(o, status, names{id: "authentication_id", scores: "score"})
		if ok && (v.Outcome != event.Approved || answer.Status/100 == 2) {
			return v, nil
		}
		return vendors.Verdict{}, &vendors.Error{
			Vendor: event.Argos, Kind: vendors.Transient, Op: opAuthenticate, Status: answer.Status, Code: codeNoVerdict, Unknown: true,
		}
	}
	code, m := meaningOf(answer, o)
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

// objectOf returns an empty object for a body that is not wholly there or not
// JSON: half an answer is none.
func objectOf(answer vendors.Answer) object {
	if answer.Err != nil {
		return object{}
	}
	o, err := parseObject(answer.Body)
	if err != nil {
		return object{}
	}
	return o
}

// names are what POST and GET call differently.
type names struct{ id, scores string }

// maxCodes bounds the codes kept of one rejection.
const maxCodes = 8

// verdict reads approved and rejected, in any letter case; ok is false for any
// other status.
func verdict(o object, status string, n names) (v vendors.Verdict, ok bool) {
	v = vendors.Verdict{
		Scores:    scores(o.child(n.scores)),
		Reference: vendors.CleanCode(o.text(n.id)),
		Liveness:  event.LivenessNone,
		At:        o.time("create_time"),
	}
	failures, failed := o.list("fail_code")
	_, _, erred := knownError(o)
	switch {
	case strings.EqualFold(status, "rejected"):
		v.Outcome = event.Rejected
	case !strings.EqualFold(status, "approved"):
		return vendors.Verdict{}, false
	case failed || erred || o.text("errorcode", "error_code") != "":
		v.Outcome, v.Reasons = event.Rejected, []event.Reason{event.Inconsistent}
	default:
		v.Outcome = event.Approved
		return v, true
	}

	for _, failure := range failures {
		if reason := reasonOf(failure); !slices.Contains(v.Reasons, reason) {
			v.Reasons = append(v.Reasons, reason)
		}
		if code := vendors.CleanCode(failure); code != "" && len(v.Codes) < maxCodes {
			v.Codes = append(v.Codes, code)
		}
	}
	if len(v.Reasons) == 0 {
		v.Reasons = []event.Reason{event.OtherRejection}
	}
	return v, true
}

// scores returns what can be read, clamped to 0..100, nil when nothing can.
func scores(o object) map[string]float64 {
	var found map[string]float64
	for _, name := range scoreNames {
		n, ok := o.number(name.theirs)
		if !ok {
			continue
		}
		if found == nil {
			found = make(map[string]float64, len(scoreNames))
		}
		found[name.ours] = min(max(n, 0), 100)
	}
	return found
}

// knownError looks for a code or text of the table in every field that the
// vendor's pages use for them.
func knownError(o object) (code string, m meaning, known bool) {
	for _, field := range []string{"errorcode", "error_code", "code", "error", "message", "errormessage"} {
		if code, m, known := meaningOfCode(text(o.value(field))); known {
			return code, m, true
		}
	}
	return "", meaning{}, false
}

// meaningOf is for an answer without a verdict.
func meaningOf(answer vendors.Answer, o object) (code string, m meaning) {
	code, m, known := knownError(o)
	switch {
	case known:
		// An error of theirs on a 5xx may hide more than it says.
		m.unknown = m.unknown || m.kind == vendors.Transient && answer.Status >= 500
		return code, m
	}
	code, m = meaningOfStatus(answer.Status)
	switch {
	case m.kind == vendors.Unexplained && answer.Err != nil:
		// The code that would have decided is in the part that is missing.
		return codeUnreadable, meaning{kind: vendors.Transient, unknown: true}
	case m.kind == vendors.Unexplained:
		// An error code is the vendor's own word: it has looked at the call.
		m.unknown = o.text("errorcode", "error_code", "code") != ""
	case answer.Status == http.StatusForbidden:
		code = forbidden(o.text("message", "errormessage", "errorcode"))
	case answer.Status/100 == 2 && len(o) == 0:
		code = codeUnreadable
	}
	return code, m
}

// fault makes the error. A meaning that is a verdict, which only Authenticate
// can give, means elsewhere that the vendor did not understand the call.
func (a *Adapter) fault(op string, answer vendors.Answer, code string, m meaning) error {
	e := &vendors.Error{
		Vendor:  event.Argos,
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
	if e.Kind == vendors.Throttled || answer.Status >= 500 {
		e.RetryAfter = vendors.RetryAfter(answer.Header, a.now())
	}
	return e
}
