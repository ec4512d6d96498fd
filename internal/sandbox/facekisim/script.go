package facekisim

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strconv"
	"strings"

	"reauth/internal/sandbox/vendorsim"
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

// ErrorAnswer is an error code in place of a search.
const ErrorAnswer vendorsim.MishapKind = "code"

// Script is what a picture asks for.
type Script struct {
	// Reference is what the person in the picture is enrolled under, "" for
	// somebody who is not.
	Reference string
	Find      Find
	Mishap    vendorsim.Mishap
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
		kind, isMishap := vendorsim.ParseMishap(word)
		count, isCount := vendorsim.ParseTimes(word)
		switch {
		case slices.Contains(finds, Find(word)):
			s.Find = Find(word)
		case isMishap:
			s.Mishap.Kind, s.Mishap.Times = kind, 1
		case isCode:
			s.Mishap.Kind, s.Mishap.Code, s.Mishap.Times = ErrorAnswer, strconv.Itoa(code), vendorsim.Always
		case isStatus && status >= 200 && status <= 599:
			s.Mishap.Status = status
		case isCount:
			times = count
		}
	}
	if times > 0 && s.Mishap.Kind != vendorsim.NoMishap {
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
