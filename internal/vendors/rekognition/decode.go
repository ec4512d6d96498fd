package rekognition

import (
	"encoding/json"
	"net/http"
	"strings"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// decode reads the answer to a comparison. code is the error type as in the
// table, or one of ours, "" for a comparison that was made.
func (a *Adapter) decode(answer vendors.Answer) (v vendors.Verdict, code string, err error) {
	if answer.Status == http.StatusOK {
		if c, ok := readComparison(answer); ok {
			v := c.decide(a.threshold)
			v.Reference = vendors.CleanCode(answer.Header.Get("X-Amzn-Requestid"))
			return v, "", nil
		}
	}
	code, m := meaningOf(answer)
	if m.outcome == "" {
		return vendors.Verdict{}, code, a.fault(opAuthenticate, answer, code, m)
	}
	return verdictOf(code, m), code, nil
}

// verdictOf is the verdict of a call that ended without a comparison.
func verdictOf(code string, m meaning) vendors.Verdict {
	return vendors.Verdict{
		Outcome:  m.outcome,
		Reasons:  []event.Reason{m.reason},
		Codes:    []string{code},
		Liveness: event.LivenessNone,
	}
}

// meaningOf is for an answer that is no comparison. The error type decides
// before the status, for nearly all come with 400, and throttling with 400 or
// 500; a verdict takes a 4xx as well.
func meaningOf(answer vendors.Answer) (code string, m meaning) {
	code = errorType(answer)
	m, known := errorTypes[code]
	if known && answer.Status >= 400 && (m.outcome == "" || answer.Status < 500) {
		return code, m
	}
	unread, typed := code == "" && answer.Err != nil, code != ""
	code, m = meaningOfStatus(answer.Status)
	switch {
	case unread && m.kind == vendors.Unexplained:
		// The type that would have decided is in the part that is missing.
		return codeUnreadable, mayBeMade
	case typed && code == "":
		return codeUnknown, m
	case code == codeNoVerdict && (answer.Err != nil || !json.Valid(answer.Body)):
		return codeUnreadable, m
	}
	return code, m
}

// errorType returns the type of Amazon's error: from the header, or from the
// body, without the address or the namespace that may stand beside it (AWS JSON
// 1.1 protocol, "Operation error serialization").
func errorType(answer vendors.Answer) string {
	said := answer.Header.Get("X-Amzn-Errortype")
	if said == "" && answer.Err == nil {
		var body struct {
			Type string `json:"__type"`
			Code string `json:"code"` // also written Code
		}
		if json.Unmarshal(answer.Body, &body) != nil {
			return ""
		}
		said = body.Type
		if said == "" {
			said = body.Code
		}
	}
	said, _, _ = strings.Cut(said, ":")
	if _, name, namespaced := strings.Cut(said, "#"); namespaced {
		said = name
	}
	return said
}

// fault makes the error.
func (a *Adapter) fault(op string, answer vendors.Answer, code string, m meaning) error {
	e := &vendors.Error{
		Vendor:  event.Rekognition,
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
