package rekognition

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// ownWords are all that an error of the decoder may consist of.
func ownWords() []string {
	words := []string{
		"", codeUnauthorized, codeForbidden, codeCredit, codeWrongAddress, codeRedirected, codeProxy, codeTooLarge,
		codeUnreadable, codeNoVerdict, codeUnknown,
	}
	for name := range errorTypes {
		words = append(words, name)
	}
	return words
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"matched", "below", "unmatched", "two", "filtered"} {
		f.Add(200, []byte(vendortest.Golden(f, name+".json")), "")
	}
	for _, name := range []string{"noface", "noreference"} {
		f.Add(400, []byte(vendortest.Golden(f, name+".json")), "")
	}
	f.Add(400, []byte(""), "AccessDeniedException:http://internal.amazon.com/")
	f.Add(502, []byte("<html>"), "")
	f.Add(200, []byte(`{"SourceImageFace":{},"FaceMatches":[{"Similarity":99}],"FACEMATCHES":[{}]}`), "")
	words := ownWords()
	a := decoder(f)

	f.Fuzz(func(t *testing.T, status int, body []byte, header string) {
		answer := answerOf(status, string(body))
		answer.Header.Set("X-Amzn-Errortype", header)
		v, code, err := a.decode(answer)
		if !slices.Contains(words, code) {
			t.Errorf("code %q is the answer's", code)
		}
		if err != nil {
			var e *vendors.Error
			if !errors.As(err, &e) || e.Code != code || e.Err != nil || e.Status != status {
				t.Errorf("error %#v has code, cause or status of its own", err)
			}
			return
		}
		for _, code := range v.Codes {
			if !slices.Contains(words, code) {
				t.Errorf("code %q is the answer's", code)
			}
		}
		if v.Outcome != event.Approved {
			if len(v.Reasons) == 0 {
				t.Errorf("%s without a reason", v.Outcome)
			}
			return
		}
		judge(t, status, body)
	})
}

// judge reads an answer that was approved once more, without the decoder's
// types. Names in another case, or twice, are left out: Amazon sends none.
func judge(t *testing.T, status int, body []byte) {
	var said map[string]any
	if err := json.Unmarshal(body, &said); err != nil || status != 200 {
		t.Fatalf("approved by HTTP %d with %v", status, err)
	}
	lower := strings.ToLower(string(body))
	for _, name := range []string{"facematches", "unmatchedfaces", "similarity", "sourceimageface", `\u`} {
		if strings.Count(lower, name) > 1 || strings.Contains(lower, `\u`) {
			return
		}
	}
	for name, value := range said {
		said[strings.ToLower(name)] = value
	}
	matches, _ := said["facematches"].([]any)
	others, _ := said["unmatchedfaces"].([]any)
	if len(matches) != 1 || len(others) != 0 {
		t.Fatalf("approved with %d matches and %d others", len(matches), len(others))
	}
	match, _ := matches[0].(map[string]any)
	for name, value := range match {
		if similarity, ok := value.(float64); strings.EqualFold(name, "similarity") && (!ok || similarity < DefaultThreshold || similarity > 100) {
			t.Errorf("approved with similarity %v", value)
		}
	}
	if _, ok := said["sourceimageface"].(map[string]any); !ok {
		t.Error("approved without the face of the reference")
	}
}
