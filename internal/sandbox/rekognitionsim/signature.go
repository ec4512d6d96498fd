package rekognitionsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The error types of a call that is not authentic.
const (
	missingToken     = "MissingAuthenticationTokenException"
	incomplete       = "IncompleteSignatureException"
	unknownClient    = "UnrecognizedClientException"
	invalidSignature = "InvalidSignatureException"
	expiredToken     = "ExpiredTokenException"
)

// authorization is what the header of a signed request looks like.
var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?` +
	`SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$`)

// maxSkew is how far a signature's date may be from now ("Signature Version 4",
// AWS IAM user guide: within five minutes).
const maxSkew = 5 * time.Minute

const dateLayout = "20060102T150405Z"

// authenticate returns the error type that a call with this body is refused
// with, "" when it is the caller's own.
func (k Knobs) authenticate(r *http.Request, body []byte, now time.Time) (errorType string) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return missingToken
	}
	parts := authorization.FindStringSubmatch(header)
	date := r.Header.Get("X-Amz-Date")
	at, err := time.Parse(dateLayout, date)
	if parts == nil || err != nil {
		return incomplete
	}
	key, day, region, service, signed, signature := parts[1], parts[2], parts[3], parts[4], parts[5], parts[6]
	names := strings.Split(signed, ";")
	switch {
	case key != k.AccessKeyID || r.Header.Get("X-Amz-Security-Token") != k.SessionToken:
		return unknownClient
	case k.Expired:
		return expiredToken
	case region != k.Region || service != "rekognition" || !strings.HasPrefix(date, day):
		return invalidSignature
	case now.Sub(at).Abs() > maxSkew || !covers(names, r.Header):
		return invalidSignature
	case signature != k.signature(r, names, body, date):
		return invalidSignature
	}
	return ""
}

// covers reports whether the signature covers what it must: the host and every
// header of Amazon's.
func covers(names []string, h http.Header) bool {
	for name := range h {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(names, name) {
			return false
		}
	}
	return slices.Contains(names, "host") && slices.IsSorted(names)
}

// signature calculates what the signature must be ("Create a signed AWS API
// request", AWS IAM user guide).
func (k Knobs) signature(r *http.Request, names []string, body []byte, date string) string {
	var headers strings.Builder
	for _, name := range names {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		headers.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	canonical := strings.Join([]string{
		r.Method, r.URL.EscapedPath(), r.URL.RawQuery, headers.String(), strings.Join(names, ";"), hexSHA256(body),
	}, "\n")
	scope := date[:8] + "/" + k.Region + "/rekognition/aws4_request"
	key := []byte("AWS4" + k.SecretAccessKey)
	for part := range strings.SplitSeq(scope, "/") {
		key = keyed(key, part)
	}
	return hex.EncodeToString(keyed(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hexSHA256([]byte(canonical))))
}

func hexSHA256(b []byte) string {
	digest := sha256.Sum256(b)
	return hex.EncodeToString(digest[:])
}

func keyed(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
