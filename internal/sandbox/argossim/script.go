package argossim

import (
	"hash/fnv"
	"math"
	"strings"
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

// Mishap is what goes wrong with the first calls for a submission.
type Mishap struct {
	Kind MishapKind
	// Code is the error code of an ErrorAnswer.
	Code string
	// Times is how many calls it happens to; Always means every one.
	Times int
}

// Always is the Times of a mishap that never ends.
const Always = math.MaxInt

// MishapKind names a mishap as it is written in a submission id.
type MishapKind string

// The mishaps.
const (
	NoMishap     MishapKind = ""
	ErrorAnswer  MishapKind = "error"
	Throttled    MishapKind = "429"
	ThrottleBare MishapKind = "429bare"
	Status500    MishapKind = "500"
	Status502    MishapKind = "502"
	Status503    MishapKind = "503"
	ResetEarly   MishapKind = "resetearly"
	Status504    MishapKind = "504"
	BadJSON      MishapKind = "badjson"
	Reset        MishapKind = "reset"
	Hang         MishapKind = "hang"
)

// Charged reports whether the mishap comes after the authentication was made.
func (k MishapKind) Charged() bool {
	switch k {
	case Status504, BadJSON, Reset, Hang:
		return true
	}
	return false
}

// Script is what a submission id asks for.
type Script struct {
	Verdict Verdict
	Mishap  Mishap
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
		return Script{Mishap: Mishap{Kind: ErrorAnswer, Code: code, Times: times}, Style: style}
	}
	word, rest, _ := strings.Cut(body, "-")
	switch kind := MishapKind(word); kind {
	case Throttled, ThrottleBare, Status500, Status502, Status503, ResetEarly, Status504, BadJSON, Reset, Hang:
		times, style := modifiers(rest)
		return Script{Mishap: Mishap{Kind: kind, Times: times}, Style: style}
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
		switch word {
		case "once":
			times = 1
		case "twice":
			times = 2
		case "always":
			times = Always
		case string(StyleCode), string(StyleText):
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
