package rekognitionsim

import (
	"path"
	"strconv"
	"strings"

	"reauth/internal/sandbox/vendorsim"
)

// How alike the faces of one person are in two pictures, and those of two
// persons.
const (
	Alike  = 99.25
	Unlike = 1.5
)

// ErrorAnswer is an error of Amazon's in place of a comparison.
const ErrorAnswer vendorsim.MishapKind = "error"

// Script is what a picture shows, and what a comparison of it meets.
type Script struct {
	// Person is "" for a picture that is no script.
	Person string
	// Alike is how alike the face is to the person's.
	Alike float64
	// Two: somebody else is in the picture too. Dim: the face is of low
	// quality. NoFace: there is none.
	Two, Dim, NoFace bool
	Mishap           vendorsim.Mishap
}

// ParseScript reads a picture's name, or its key. The grammar stands in the
// package comment; words that it does not know mean nothing.
func ParseScript(name string) Script {
	name = path.Base(name)
	words := strings.Split(strings.TrimSuffix(name, path.Ext(name)), "-")
	s := Script{Alike: Alike}
	if len(words) < 2 || words[0] != "face" || words[1] == "" {
		return s
	}
	s.Person = words[1]
	times := 0
	for _, word := range words[2:] {
		kind, isMishap := vendorsim.ParseMishap(word)
		count, isCount := vendorsim.ParseTimes(word)
		alike, isAlike := percentAfter("sim", word)
		switch {
		case isAlike:
			s.Alike = alike
		case isMishap:
			s.Mishap.Kind, s.Mishap.Times = kind, 1
		case errorStatuses[word] != 0:
			s.Mishap.Kind, s.Mishap.Code, s.Mishap.Times = ErrorAnswer, word, vendorsim.Always
		case isCount:
			times = count
		}
		s.Two = s.Two || word == "two"
		s.Dim = s.Dim || word == "dim"
		s.NoFace = s.NoFace || word == "noface"
	}
	if times > 0 && s.Mishap.Kind != vendorsim.NoMishap {
		s.Mishap.Times = times
	}
	return s
}

func percentAfter(prefix, word string) (percent float64, ok bool) {
	digits, ok := strings.CutPrefix(word, prefix)
	if !ok {
		return 0, false
	}
	percent, err := strconv.ParseFloat(digits, 64)
	return percent, err == nil && percent >= 0 && percent <= 100
}
