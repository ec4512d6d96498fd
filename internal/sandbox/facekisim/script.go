package facekisim

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Find is what a search finds, as it is written in a selfie's name.
type Find string

// The finds.
const (
	FindPerson     Find = "person"
	FindOther      Find = "other"
	FindTwo        Find = "two"
	FindAgain      Find = "again"
	FindDeleted    Find = "deleted"
	FindDeclined   Find = "declined"
	FindReview     Find = "review"
	FindStray      Find = "stray"
	FindNoRecords  Find = "norecords"
	FindNobody     Find = "nomatch"
	FindNobody8013 Find = "nomatch8013"
	FindNobody404  Find = "nomatch404"
)

var finds = []Find{
	FindOther, FindTwo, FindAgain, FindDeleted, FindDeclined, FindReview, FindStray, FindNoRecords, FindNobody, FindNobody8013, FindNobody404,
}

// MishapKind names a mishap as it is written in a selfie's name.
type MishapKind string

// The mishaps.
const (
	NoMishap     MishapKind = ""
	ErrorAnswer  MishapKind = "code"
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

var mishaps = []MishapKind{Throttled, ThrottleBare, Status500, Status502, Status503, ResetEarly, Status504, BadJSON, Reset, Hang}

// Charged reports whether the mishap comes after the search was made.
func (k MishapKind) Charged() bool {
	switch k {
	case Status504, BadJSON, Reset, Hang:
		return true
	}
	return false
}

// Mishap is what goes wrong with the first searches with a picture.
type Mishap struct {
	Kind MishapKind
	// Code is the error code of an ErrorAnswer, Status its HTTP status, 0 for
	// the knob's.
	Code   string
	Status int
	// Times is how many searches it happens to; Always means every one.
	Times int
}

// Always is the Times of a mishap that never ends.
const Always = math.MaxInt

// Script is what a picture asks for.
type Script struct {
	// Reference is what the person in the picture is enrolled under, "" for
	// somebody who is not.
	Reference string
	Find      Find
	Mishap    Mishap
}

// ParseScript reads a selfie's name, or its key. The grammar stands in the
// package comment; words that it does not know mean nothing.
func ParseScript(name string) Script {
	name = path.Base(name)
	words := strings.Split(strings.TrimSuffix(name, path.Ext(name)), "-")
	if len(words) < 2 || words[0] != "face" || words[1] == "" {
		return Script{Find: FindNobody}
	}
	s := Script{Reference: words[1], Find: FindPerson}
	times := 0
	for _, word := range words[2:] {
		code, isCode := numberAfter("code", word)
		status, isStatus := numberAfter("http", word)
		switch {
		case slices.Contains(finds, Find(word)):
			s.Find = Find(word)
		case slices.Contains(mishaps, MishapKind(word)):
			s.Mishap.Kind, s.Mishap.Times = MishapKind(word), 1
		case isCode:
			s.Mishap.Kind, s.Mishap.Code, s.Mishap.Times = ErrorAnswer, strconv.Itoa(code), Always
		case isStatus && status >= 200 && status <= 599:
			s.Mishap.Status = status
		case word == "once":
			times = 1
		case word == "twice":
			times = 2
		case word == "always":
			times = Always
		}
	}
	if times > 0 && s.Mishap.Kind != NoMishap {
		s.Mishap.Times = times
	}
	return s
}

func numberAfter(prefix, word string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(word, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n > 0
}

// Other is the reference of the somebody else who is found in place of, or
// beside, the person enrolled under reference.
func Other(reference string) string {
	digest := sha256.Sum256([]byte("other than " + reference))
	return hex.EncodeToString(digest[:16])
}
