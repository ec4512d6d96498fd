package event

import (
	"regexp"
	"strings"
	"time"
	"unicode"
)

// The fields of a request, as indexes.
const (
	requestID = iota
	vendor
	submissionID
	applicantID
	selfieKey
	selfieBucket
	selfieVersion
	referenceKey
	referenceBucket
	referenceVersion
	userID
	cf1
	cf2
	cf3
	redirectURL
	campaignID
	notAfter
	requestedAt
	fieldCount
)

// fieldNames are the names on the wire.
var fieldNames = [fieldCount]string{
	requestID:        "request_id",
	vendor:           "vendor",
	submissionID:     "submission_id",
	applicantID:      "applicant_id",
	selfieKey:        "selfie_key",
	selfieBucket:     "selfie_bucket",
	selfieVersion:    "selfie_version",
	referenceKey:     "reference_key",
	referenceBucket:  "reference_bucket",
	referenceVersion: "reference_version",
	userID:           "user_id",
	cf1:              "cf1",
	cf2:              "cf2",
	cf3:              "cf3",
	redirectURL:      "redirect_url",
	campaignID:       "campaign_id",
	notAfter:         "not_after",
	requestedAt:      "requested_at",
}

// fieldChecks hold the rules of each field that need no other field and no
// setting. They are called for fields that are there.
var fieldChecks = [fieldCount]func(string) complaint{
	requestID:        checkID,
	submissionID:     checkSubmissionID,
	applicantID:      checkApplicantID,
	selfieKey:        checkObjectKey,
	selfieVersion:    checkObjectVersion,
	referenceKey:     checkObjectKey,
	referenceVersion: checkObjectVersion,
	userID:           checkFreeText,
	cf1:              checkFreeText,
	cf2:              checkFreeText,
	cf3:              checkFreeText,
	redirectURL:      checkRedirectURL,
	campaignID:       checkID,
	notAfter:         checkInstant,
	requestedAt:      checkInstant,
}

// complaint is what a check finds; its zero value is praise.
type complaint struct {
	code   Code
	detail string
}

// Bounds in bytes. S3 allows 1024 for a key and for a version id
// (Amazon S3 user guide, "Creating object key names" and "Using versioning");
// the others are ours.
const (
	maxID            = 128
	maxSubmissionID  = 256
	maxApplicantID   = 128
	maxObjectKey     = 1024
	maxObjectVersion = 1024
	maxFreeText      = 256
	maxRedirectURL   = 2048
)

func checkID(s string) complaint {
	switch {
	case len(s) > maxID:
		return complaint{TooLong, "send at most 128 bytes"}
	case !isID(s):
		return complaint{BadFormat, "send letters, digits and . _ : - only"}
	}
	return complaint{}
}

// isID tells whether s is 1 to 128 of [A-Za-z0-9._:-].
func isID(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return 0 < len(s) && len(s) <= maxID
}

// trimBlanks takes the blanks off both ends. Argos' own sample of a
// submission id carries a stray one, so ids copied from there do too.
func trimBlanks(s string) string { return strings.Trim(s, " \t\r\n") }

func checkSubmissionID(s string) complaint {
	switch {
	case len(s) > maxSubmissionID:
		return complaint{TooLong, "send at most 256 bytes"}
	case !isVisible(trimBlanks(s)):
		return complaint{BadFormat, "send visible ASCII characters without a blank between them"}
	}
	return complaint{}
}

func checkObjectVersion(s string) complaint {
	switch {
	case len(s) > maxObjectVersion:
		return complaint{TooLong, "send at most 1024 bytes"}
	case !isVisible(s):
		return complaint{BadFormat, "send visible ASCII characters without a blank between them"}
	}
	return complaint{}
}

// isVisible tells whether s is of the ASCII characters from ! to ~ only.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return true
}

func checkApplicantID(s string) complaint {
	switch {
	case len(s) > maxApplicantID:
		return complaint{TooLong, "send at most 128 bytes"}
	case !isApplicantID(s):
		return complaint{BadFormat, "send aplt_ and then letters, digits and _ only"}
	}
	return complaint{}
}

// isApplicantID tells whether s is aplt_\w+, the pattern in Checkout.com's
// API reference.
func isApplicantID(s string) bool {
	rest, ok := strings.CutPrefix(s, "aplt_")
	return ok && isID(rest) && !strings.ContainsAny(rest, ".:-")
}

func checkFreeText(s string) complaint {
	if len(s) > maxFreeText {
		return complaint{TooLong, "send at most 256 bytes of UTF-8"}
	}
	return complaint{}
}

// checkObjectKey keeps out keys that a store, a proxy or a tool behind us may
// resolve to another object than the one that was meant.
func checkObjectKey(s string) complaint {
	if len(s) > maxObjectKey {
		return complaint{TooLong, "send at most 1024 bytes of UTF-8"}
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return complaint{BadFormat, "send no control characters"}
	}
	if strings.Contains(s, `\`) {
		return complaint{PathTrick, "separate segments with /, not with a backslash"}
	}
	for segment := range strings.SplitSeq(s, "/") {
		switch segment {
		case "", ".", "..":
			return complaint{PathTrick, "start and end without a slash and leave out empty, . and .. segments"}
		}
	}
	return complaint{}
}

// redirectURLPattern is an absolute https URL with a host name, without user
// information, and with the characters that RFC 3986 allows.
var redirectURLPattern = regexp.MustCompile(
	`^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?([/?#]([A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?$`)

func checkRedirectURL(s string) complaint {
	switch {
	case len(s) > maxRedirectURL:
		return complaint{TooLong, "send at most 2048 bytes"}
	case !redirectURLPattern.MatchString(s):
		return complaint{BadFormat, "send an absolute https:// URL with a host, without user and password"}
	}
	return complaint{}
}

func checkInstant(s string) complaint {
	if _, ok := parseInstant(s); !ok {
		return complaint{BadFormat, "send an RFC 3339 time with Z or an offset, in the years 1970 to 2999"}
	}
	return complaint{}
}

// parseInstant reads an RFC 3339 time and returns it in UTC. The year must be
// one from 1970 to 2999, as written and in UTC: 0001-01-01 is Go's zero time,
// so as a not_after it would turn from "long ago" into "never".
func parseInstant(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || !isStrictRFC3339(s) || !isEra(t) || !isEra(t.UTC()) {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// isStrictRFC3339 refuses what time.Parse lets pass, in a text that it has
// passed: an hour of one digit, a comma before the fraction, and an offset of
// more than 23:59 (go.dev/issue/54580).
func isStrictRFC3339(s string) bool {
	if s[len("2006-01-02T15")] != ':' || strings.Contains(s, ",") {
		return false
	}
	if strings.HasSuffix(s, "Z") {
		return true
	}
	offset := s[len(s)-len("15:04"):]
	return offset[:2] <= "23" && offset[3:] <= "59"
}

func isEra(t time.Time) bool { return 1970 <= t.Year() && t.Year() <= 2999 }
