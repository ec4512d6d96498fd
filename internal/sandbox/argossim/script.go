package argossim

import (
	"hash/fnv"
	"strings"

	"reauth/internal/sandbox/vendorsim"
)

// Verdict is what the vendor makes of a submission when nothing goes wrong on
// the way. With both fields empty it is approved.
type Verdict struct {
	// FailCodes are the rejection codes.
	FailCodes []string
	// ErrorCode is an error in place of an authentication.
	ErrorCode string
}

// Approved reports whether the verdict is a yes.
func (v Verdict) Approved() bool { return len(v.FailCodes) == 0 && v.ErrorCode == "" }

// ErrorAnswer is an error code in place of an authentication.
const ErrorAnswer vendorsim.MishapKind = "error"

// Script is what a submission id asks for.
type Script struct {
	Verdict Verdict
	Mishap  vendorsim.Mishap
	// Style is how errors are written, empty for the knob's way.
	Style ErrorStyle
}

var verdictScripts = []struct {
	name    string
	verdict Verdict
}{
	{"approve", Verdict{}},
	{"reject-similarity", Verdict{FailCodes: []string{failSimilarity}}},
	{"reject-occluded", Verdict{FailCodes: []string{failOccluded}}},
	{"reject-cover", Verdict{FailCodes: []string{failCover}}},
	{"reject-head", Verdict{FailCodes: []string{failHead}}},
	{"reject-two", Verdict{FailCodes: []string{failSimilarity, failOccluded}}},
	{"reject-new", Verdict{FailCodes: []string{failNew}}},
	{"unknown", Verdict{ErrorCode: invalidSubmissionID}},
	{"unapproved", Verdict{ErrorCode: invalidSubmissionStatus}},
	{"noface", Verdict{ErrorCode: noFace}},
}

// ParseScript reads a submission id; an id that is no script gets its verdict
// from mix. The grammar stands in the package comment.
func ParseScript(submissionID string, mix Mix) Script {
	if strings.TrimSpace(submissionID) != submissionID {
		return Script{Verdict: Verdict{ErrorCode: invalidSubmissionID}}
	}
	body, ok := strings.CutPrefix(submissionID, "sub-")
	if !ok {
		return Script{Verdict: mix.verdict(submissionID)}
	}
	for _, vs := range verdictScripts {
		if rest, ok := cutWord(body, vs.name); ok {
			_, style := modifiers(rest)
			return Script{Verdict: vs.verdict, Style: style}
		}
	}
	if rest, ok := cutWord(body, string(ErrorAnswer)); ok && rest != "" {
		code, rest, _ := strings.Cut(rest, "-")
		times, style := modifiers(rest)
		return Script{Mishap: vendorsim.Mishap{Kind: ErrorAnswer, Code: code, Times: times}, Style: style}
	}
	word, rest, _ := strings.Cut(body, "-")
	if kind, ok := vendorsim.ParseMishap(word); ok {
		times, style := modifiers(rest)
		return Script{Mishap: vendorsim.Mishap{Kind: kind, Times: times}, Style: style}
	}
	return Script{Verdict: mix.verdict(submissionID)}
}

// cutWord removes word and the hyphen after it from the front of s.
func cutWord(s, word string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(s, word)
	if !ok || rest == "" {
		return "", ok
	}
	return strings.CutPrefix(rest, "-")
}

// modifiers reads the words after a script's name, up to the first that is
// none. Without a count a mishap happens once.
func modifiers(rest string) (times int, style ErrorStyle) {
	times = 1
	for word := range strings.SplitSeq(rest, "-") {
		count, isCount := vendorsim.ParseTimes(word)
		switch {
		case isCount:
			times = count
		case word == string(StyleCode), word == string(StyleText):
			style = ErrorStyle(word)
		default:
			return times, style
		}
	}
	return times, style
}

// Mix is how verdicts are shared out among submission ids that are no script.
// The shares add up to 1.
type Mix struct {
	Approved   float64 `json:"approved"`
	Rejected   float64 `json:"rejected"`
	NoFace     float64 `json:"no_face"`
	Unknown    float64 `json:"unknown"`
	Unapproved float64 `json:"unapproved"`
}

var rejections = []string{failSimilarity, failOccluded, failCover, failHead}

// verdict depends on nothing but the mix and the id.
func (m Mix) verdict(submissionID string) Verdict {
	h := hash(submissionID)
	at := share(h)
	for _, slice := range []struct {
		share   float64
		verdict Verdict
	}{
		{m.Rejected, Verdict{FailCodes: []string{rejections[h%uint64(len(rejections))]}}},
		{m.NoFace, Verdict{ErrorCode: noFace}},
		{m.Unknown, Verdict{ErrorCode: invalidSubmissionID}},
		{m.Unapproved, Verdict{ErrorCode: invalidSubmissionStatus}},
	} {
		if at < slice.share {
			return slice.verdict
		}
		at -= slice.share
	}
	return Verdict{}
}

// hash spreads an id over 64 bits; FNV alone leaves the high bits of short
// ids alike, so the sum is stirred once more (finalizer of MurmurHash3).
func hash(id string) uint64 {
	f := fnv.New64a()
	f.Write([]byte(id))
	h := f.Sum64()
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// share maps a hash to [0, 1).
func share(h uint64) float64 { return float64(h>>11) / (1 << 53) }
