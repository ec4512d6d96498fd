package vendortest

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// What must never be found in an error. The credential is of the alphabet of
// vendors' codes, so that cleaning a code cannot hide it.
const (
	secret = "canary-key-c81f7a40"
	userID = "Jane Canary-Doe <jane@canary.example>"
	cf1    = "canary-cf1-0f6d"
	cf2    = "canary cf2 \"quoted\"\r\nand broken"
	cf3    = "canary-cf3-99b2"
)

// canaries returns every form in which a secret could show up in a text.
func (s Suite) canaries() []string {
	plain := append([]string{secret, userID, cf1, cf2, cf3, "canary-selfie", "Canary-Doe", "canary cf2"}, s.Secrets...)
	var forms []string
	for _, p := range plain {
		quoted, _ := json.Marshal(p) // a string always marshals
		forms = append(forms,
			p,
			strings.Trim(string(quoted), `"`),
			strings.Trim(fmt.Sprintf("%q", p), `"`),
			url.QueryEscape(p), url.PathEscape(p),
			hex.EncodeToString([]byte(p)),
			strings.ToUpper(hex.EncodeToString([]byte(p))),
			strings.Trim(strings.ReplaceAll(fmt.Sprintf("% d", []byte(p)), "  ", " "), "[]"),
		)
		// Within something longer, base64 has one of three alignments; the
		// characters at the ends depend on the neighbours.
		for shift := range 3 {
			padded := append(make([]byte, shift), p...)
			for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				e := enc.EncodeToString(padded)
				forms = append(forms, e[shift+1:len(e)-2])
			}
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// checkSecrecy has the vendor send back all it received, in every place where
// an adapter or net/http might quote it.
func checkSecrecy(b *bench) {
	for _, answer := range b.echoes() {
		s := b.stage(answer)
		b.judgeText("Authenticate", b.authenticate(context.Background(), s).err)
		s.end()
	}
	for _, broken := range []func() *stage{b.refusing, b.untrusted, b.plain} {
		b.judgeText("Authenticate", b.authenticate(context.Background(), broken()).err)
	}
}

// echoNames are the names under which vendors put codes and texts.
var echoNames = []string{
	"errorCode", "error_code", "error_codes", "error_type", "code", "error", "message", "errorMessage",
	"status", "auth_status", "responseCode", "fail_code", "data", "id", "authentication_id", "create_time",
}

// echoes are the answers of a vendor that repeats what it was sent.
func (b *bench) echoes() []http.HandlerFunc {
	said := strings.Join([]string{secret, userID, cf1, cf2, cf3, selfieMark}, " ")
	answers := []http.HandlerFunc{
		raw("HTTP/1.1 %s\r\n\r\n", secret),
		raw("%s\r\n\r\n", secret),
		raw("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n", secret),
		raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n", secret),
		raw("HTTP/1.1 200 OK\r\n%s %s\r\n\r\n", secret, cf1),
		raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n", secret),
		raw("HTTP/1.1 500 %s\r\nContent-Length: 0\r\n\r\n", secret),
		raw("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ://%s%%zz\r\n\r\n", secret),
	}
	for _, status := range []int{200, 201, 302, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503} {
		answers = append(answers, echoRequest(status), reply(status, "text/plain", said, http.Header{
			"Location":    {"https://" + secret + ".invalid/" + cf1},
			"Retry-After": {secret},
			"X-Request":   {secret},
		}))
	}
	for _, status := range []int{200, 400, 500} {
		for _, name := range echoNames {
			for _, value := range []string{secret, said, cf1} {
				body, _ := json.Marshal(map[string]any{name: value}) // strings always marshal
				answers = append(answers, Reply(status, string(body)))
			}
		}
	}
	return answers
}

func echoRequest(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "%s %s\n%v\n%s", r.Method, r.URL, r.Header, body)
	}
}

// judgeText looks for the canaries in all that can be printed of err.
func (b *bench) judgeText(what string, err error) {
	if err == nil {
		return
	}
	printed := texts(err)
	for _, canary := range b.suite.canaries() {
		for _, text := range printed {
			if strings.Contains(text, canary) {
				// The finding doesn't quote the text either.
				b.find("%s: an error's text holds %q", what, canary)
				return
			}
		}
	}
}

// texts returns the texts of err and of every error that it wraps.
func texts(err error) []string {
	all := []string{err.Error(), fmt.Sprintf("%+v", err)}
	switch w := err.(type) {
	case interface{ Unwrap() error }:
		if inner := w.Unwrap(); inner != nil {
			all = append(all, texts(inner)...)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range w.Unwrap() {
			all = append(all, texts(inner)...)
		}
	}
	return all
}
