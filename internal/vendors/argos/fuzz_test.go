package argos

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// ownWords are all that an error of the decoder may consist of.
func ownWords() []string {
	words := []string{
		codeForbiddenKey, codeForbiddenAddress, codeForbidden, codeWrongAddress, codeRedirected, codeCredit,
		codeProxy, codeUnreadable, codeNoVerdict, "",
	}
	for _, row := range errorCodes {
		words = append(words, row.code)
	}
	return words
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"approved.json", "rejected.json", "error_code.json", "error_text.json", "list_flat.json"} {
		f.Add(200, []byte(vendortest.Golden(f, name)))
		f.Add(400, []byte(vendortest.Golden(f, name)))
	}
	f.Add(403, []byte(`{"message":"Forbidden"}`))
	f.Add(200, []byte(`{"auth_status":"approved","fail_code":["x"]}`))
	f.Add(200, []byte(`{"auth_status":"approved","score":{"face_similarity_score":"1e400"}}`))
	f.Add(502, []byte("<html>"))
	words := ownWords()

	f.Fuzz(func(t *testing.T, status int, body []byte) {
		a := &Adapter{now: func() time.Time { return time.Unix(0, 0) }}
		v, err := a.decode(vendors.Answer{Status: status, Header: http.Header{}, Body: body, Reached: true})
		if err != nil {
			judgeError(t, err, status, words)
			return
		}
		judgeVerdict(t, v, status, body)
	})
}

// judgeError: the text is made of the kind, the status and known codes, so that
// no byte of the answer can be in it.
func judgeError(t *testing.T, err error, status int, words []string) {
	var e *vendors.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is a %T", err)
	}
	if !slices.Contains(words, e.Code) || e.Err != nil || e.Status != status {
		t.Errorf("error %#v has code, cause or status of its own", e)
	}
	if status/100 == 2 && e.Kind == vendors.Transient && e.Code == codeNoVerdict && !e.Unknown {
		t.Errorf("error %v says that the vendor has not acted", e)
	}
}

func judgeVerdict(t *testing.T, v vendors.Verdict, status int, body []byte) {
	for name, score := range v.Scores {
		if math.IsNaN(score) || score < 0 || score > 100 {
			t.Errorf("score %s is %v", name, score)
		}
	}
	for _, code := range append(v.Codes, v.Reference) {
		if code != vendors.CleanCode(code) {
			t.Errorf("code or reference %q is free text", code)
		}
	}
	if v.Outcome != event.Approved {
		if len(v.Reasons) == 0 {
			t.Errorf("%s without a reason", v.Outcome)
		}
		return
	}
	// Read once more, by the standard library alone.
	var said map[string]any
	if err := json.Unmarshal(body, &said); err != nil || status/100 != 2 {
		t.Fatalf("approved by HTTP %d with %v", status, err)
	}
	approved := false
	for name, value := range said {
		word, _ := value.(string)
		word = strings.TrimSpace(word)
		switch strings.ToLower(name) {
		case "auth_status":
			approved = strings.EqualFold(word, "approved")
		case "fail_code":
			list, isList := value.([]any)
			_, isWord := value.(string)
			if value != nil && !(isWord && word == "") && !(isList && len(list) == 0) {
				t.Errorf("approved, but %s is %v", name, value)
			}
		}
	}
	if !approved {
		t.Error("approved without saying so")
	}
}
