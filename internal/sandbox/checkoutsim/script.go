package checkoutsim

import (
	"strconv"
	"strings"

	"reauth/internal/sandbox/vendorsim"
)

// Call names an endpoint, in scripts and counts.
type Call string

// The calls.
const (
	CallCreate    Call = "create"
	CallGet       Call = "get"
	CallAnonymize Call = "anonymize"
	CallAttempt   Call = "attempt"
	CallList      Call = "list"
	CallShow      Call = "show"
	CallAssets    Call = "assets"
)

// HurdleKind names what comes between an applicant and the verdict.
type HurdleKind string

// The hurdles.
const (
	Abort   HurdleKind = "abort"
	Unclear HurdleKind = "unclear"
	NoShow  HurdleKind = "noshow"
)

// Hurdle is what the first attempts end with that an applicant makes use of.
type Hurdle struct {
	Kind HurdleKind
	// Code is the response code.
	Code int
	// Times is how many attempts; vendorsim.Always means every one.
	Times int
}

// Script is what an applicant id asks for.
type Script struct {
	// Refusal is the error code that create is answered with, "" for none.
	Refusal string
	// Hurdles come one after the other, and then the verdict: Approved,
	// Declined, Refused or Inconclusive, with Code.
	Hurdles []Hurdle
	Verdict Status
	Code    int

	Slow, Manual, Crowd, Odd, Audit bool
	// Mishaps are what goes wrong with calls.
	Mishaps map[Call]vendorsim.Mishap
}

// After returns the hurdle that comes when so many have been met, false if the
// verdict does.
func (s Script) After(met int) (Hurdle, bool) {
	for _, h := range s.Hurdles {
		if met < h.Times {
			return h, true
		}
		met -= h.Times
	}
	return Hurdle{}, false
}

// verdicts are the words for what comes of it.
var verdicts = map[string]struct {
	status Status
	code   int
}{
	"approve": {Approved, codeApproved},
	"decline": {Declined, codeMismatch},
	"refuse":  {Refused, codeRefusal},
	"close":   {Inconclusive, codeForciblyEnded},
}

// hurdles are the words for what comes before.
var hurdles = map[string]Hurdle{
	string(Abort):   {Abort, codeDropped, 1},
	string(Unclear): {Unclear, codeHidden, 1},
	string(NoShow):  {NoShow, codeNeverStarted, vendorsim.Always},
}

// The error codes of create that concern the applicant. The vendor publishes
// none for this endpoint; these follow its pattern, field__problem.
const (
	applicantUnknown    = "applicant_id__not_found"
	applicantNoVideo    = "applicant_id__no_face_video"
	applicantAnonymized = "applicant_id__anonymized"
)

// refusals are the words for applicants that cannot be authenticated.
var refusals = map[string]string{
	"unknown":    applicantUnknown,
	"novideo":    applicantNoVideo,
	"anonymized": applicantAnonymized,
}

// ParseScript reads an applicant id. The grammar stands in the package comment;
// words that it does not know mean nothing.
func ParseScript(applicantID string) Script {
	p := parser{script: Script{Verdict: Approved, Code: codeApproved, Mishaps: map[Call]vendorsim.Mishap{}}}
	p.words = strings.Split(strings.TrimPrefix(applicantID, "aplt_"), "_")
	for first := true; len(p.words) > 0; first = false {
		if !p.take() && first {
			break // an id that is no script
		}
	}
	return p.script
}

// parser holds what of an id has not been read.
type parser struct {
	words  []string
	script Script
}

// take reads one word, and those after it that belong to it. It reports whether
// it knows the word.
func (p *parser) take() bool {
	word, s := p.words[0], &p.script
	p.words = p.words[1:]
	if v, ok := verdicts[word]; ok {
		s.Verdict, s.Code = v.status, v.code
		if v.status == Declined {
			s.Code = p.code("62", v.code)
		}
		return true
	}
	if h, ok := hurdles[word]; ok {
		if h.Kind != NoShow {
			h.Code = p.code("61", h.Code)
		}
		h.Times = p.times(h.Times)
		s.Hurdles = append(s.Hurdles, h)
		return true
	}
	if code, ok := refusals[word]; ok {
		s.Refusal = code
		return true
	}
	switch word {
	case "slow":
		s.Slow = true
	case "manual":
		s.Manual = true
	case "crowd":
		s.Crowd = true
	case "odd":
		s.Odd = true
	case "audit":
		s.Audit = true
	default:
		return p.mishap(Call(word))
	}
	return true
}

// mishap reads what goes wrong with a call.
func (p *parser) mishap(c Call) bool {
	switch c {
	case CallCreate, CallGet, CallAnonymize, CallAttempt, CallList, CallShow, CallAssets:
	default:
		return false
	}
	if len(p.words) == 0 {
		return false
	}
	kind, ok := vendorsim.ParseMishap(p.words[0])
	if ok {
		p.words = p.words[1:]
		p.script.Mishaps[c] = vendorsim.Mishap{Kind: kind, Times: p.times(1)}
	}
	return ok
}

// code reads a response code that begins with prefix, if one is next.
func (p *parser) code(prefix string, otherwise int) int {
	if len(p.words) == 0 || len(p.words[0]) != 5 || !strings.HasPrefix(p.words[0], prefix) {
		return otherwise
	}
	code, err := strconv.Atoi(p.words[0])
	if err != nil {
		return otherwise
	}
	p.words = p.words[1:]
	return code
}

// times reads a count, if one is next.
func (p *parser) times(otherwise int) int {
	if len(p.words) == 0 {
		return otherwise
	}
	times, ok := vendorsim.ParseTimes(p.words[0])
	if !ok {
		return otherwise
	}
	p.words = p.words[1:]
	return times
}
