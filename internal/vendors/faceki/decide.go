package faceki

import (
	"net/http"
	"slices"

	"reauth/internal/event"
)

// search is the answer to a search that went well.
type search struct {
	verified   bool
	faces      []string
	records    []record
	identified []identified
}

// The codes of success.
const (
	successV2    = "0"
	successBlaze = "200"
)

// faceCheck reads V2's success: no error of any kind beside it, and a plain yes
// or no.
func (s said) faceCheck() (search, bool) {
	answered := s.verified.isTrue() || s.verified.isFalse()
	if s.responseCode.text != successV2 || !answered || s.contradicted() {
		return search{}, false
	}
	return search{verified: s.verified.isTrue(), faces: s.faces, records: s.records}, true
}

// searchByFace reads Blaze's success, where having found somebody is the yes.
func (s said) searchByFace() (search, bool) {
	if s.code.text != successBlaze || !s.status.isTrue() || !s.hasResult || s.contradicted() {
		return search{}, false
	}
	return search{verified: len(s.identified) > 0, identified: s.identified}, true
}

// contradicted says whether an error stands beside what reads as a success.
func (s said) contradicted() bool {
	_, _, erred := s.knownError()
	return erred || s.errorCode.text != "" || s.status.isFalse() || s.statusOf(http.StatusOK) != http.StatusOK
}

// decideByFace is V2's rule. A search names everybody whom the selfie resembles,
// so only a match that belongs to the expected person counts; the first line
// that applies wins. The empty reason is an approval.
func decideByFace(s search, expected string) event.Reason {
	theirs := func(r record) bool { return r.reference == expected }
	at := slices.IndexFunc(s.records, func(r record) bool { return theirs(r) && r.active() })
	switch {
	case !s.verified:
		return event.NoMatch
	case len(s.records) == 0:
		return event.NoRecord
	case !slices.ContainsFunc(s.records, theirs):
		return event.MatchedOtherPerson
	case at < 0:
		return event.RecordNotActive
	}
	face := s.records[at].face
	switch {
	case slices.ContainsFunc(s.records, func(r record) bool { return r.face != face }):
		return event.Ambiguous
	case face == "" || !slices.Contains(s.faces, face):
		return event.Inconsistent
	}
	return ""
}

// decideByIdentifier is the same rule for Blaze, whose records bear our own
// identifier of a person and no face id.
func decideByIdentifier(s search, expected string) event.Reason {
	theirs := func(i identified) bool { return i.identifier == expected }
	switch {
	case !s.verified:
		return event.NoMatch
	case !slices.ContainsFunc(s.identified, theirs):
		return event.MatchedOtherPerson
	case !slices.ContainsFunc(s.identified, func(i identified) bool { return theirs(i) && i.active() }):
		return event.RecordNotActive
	case slices.ContainsFunc(s.identified, func(i identified) bool { return !theirs(i) }):
		return event.Ambiguous
	}
	return ""
}
