package faceki

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
		"", codeTokenRefused, codeForbidden, codeCredit, codeWrongAddress, codeRedirected, codeProxy,
		codeUnreadable, codeNoVerdict, codeUnknown,
	}
	for _, row := range errorCodes {
		words = append(words, row.code)
	}
	return words
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{
		"v2_approved", "v2_other", "v2_two", "v2_again", "v2_inactive", "v2_stray", "v2_norecords", "v2_nomatch", "v2_error",
		"blaze_approved", "blaze_other", "blaze_two", "blaze_failed", "blaze_nomatch", "blaze_error", "envelope_error",
	} {
		f.Add(200, []byte(vendortest.Golden(f, name+".json")), strings.HasPrefix(name, "blaze"))
		f.Add(400, []byte(vendortest.Golden(f, name+".json")), strings.HasPrefix(name, "v2"))
	}
	f.Add(502, []byte("<html>"), false)
	f.Add(200, []byte(`{"responseCode":0,"data":{"face_verified":true,"face_verified":false}}`), false)
	words := ownWords()
	versions := map[bool]*Adapter{false: decoder(f, V2, "", nil), true: decoder(f, Blaze, "", nil)}

	f.Fuzz(func(t *testing.T, status int, body []byte, blaze bool) {
		v, err := versions[blaze].decode(answerOf(status, string(body)), reference)
		if err != nil {
			var e *vendors.Error
			if !errors.As(err, &e) || !slices.Contains(words, e.Code) || e.Err != nil || e.Status != status {
				t.Errorf("error %#v has code, cause or status of its own", err)
			}
			return
		}
		for _, code := range v.Codes {
			if !slices.Contains(words, code) && code != codeTooLarge {
				t.Errorf("code %q is the answer's", code)
			}
		}
		if v.Outcome != event.Approved {
			if len(v.Reasons) == 0 {
				t.Errorf("%s without a reason", v.Outcome)
			}
			return
		}
		if status/100 != 2 {
			t.Errorf("approved by HTTP %d", status)
		}
		if blaze {
			judgeBlaze(t, body)
		} else {
			judgeV2(t, body)
		}
	})
}

// tree reads the answer once more, by the standard library alone, with names in
// lower case as the decoder takes them.
func tree(t *testing.T, body []byte) map[string]any {
	var read any
	if err := json.Unmarshal(body, &read); err != nil {
		t.Fatalf("approved what is no JSON: %v", err)
	}
	object, ok := lower(read).(map[string]any)
	if !ok {
		t.Fatal("approved what is no object")
	}
	return object
}

func lower(v any) any {
	switch v := v.(type) {
	case map[string]any:
		lowered := map[string]any{}
		for name, value := range v {
			lowered[strings.ToLower(name)] = lower(value)
		}
		return lowered
	case []any:
		for i := range v {
			v[i] = lower(v[i])
		}
	case string:
		return strings.TrimSpace(v)
	}
	return v
}

// objects returns the elements of a list, nil for those that are no object.
func objects(v any) (all []map[string]any) {
	list, _ := v.([]any)
	for _, element := range list {
		object, _ := element.(map[string]any)
		all = append(all, object)
	}
	return all
}

func judgeV2(t *testing.T, body []byte) {
	said := tree(t, body)
	data, _ := said["data"].(map[string]any)
	if code := said["responsecode"]; code != 0.0 && code != "0" {
		t.Errorf("approved with code %v", code)
	}
	if data["face_verified"] != true {
		t.Errorf("approved with face_verified %v", data["face_verified"])
	}
	var face any
	accepted := false
	records := objects(data["kyc_records"])
	for _, r := range records {
		if r["referenceid"] == reference && r["status"] == "ACCEPTED" && r["deletestatus"] == "ACTIVE" {
			accepted, face = true, r["faceid"]
		}
	}
	if !accepted {
		t.Error("approved without an accepted, active record of the expected reference")
	}
	for _, r := range records {
		if r["faceid"] != face {
			t.Error("approved with a record of another face")
		}
	}
	if faces, _ := data["all_face_ids"].([]any); face == "" || face == nil || !slices.Contains(faces, face) {
		t.Errorf("approved with a face %v that was not matched", face)
	}
}

func judgeBlaze(t *testing.T, body []byte) {
	said := tree(t, body)
	if said["status"] != true || said["code"] != 200.0 && said["code"] != "200" {
		t.Errorf("approved with status %v and code %v", said["status"], said["code"])
	}
	accepted := false
	for _, r := range objects(said["result"]) {
		if r["record_identifier"] != reference {
			t.Errorf("approved with somebody else's record")
		}
		documents := objects(r["document_data"])
		passed := len(documents) > 0
		for _, d := range documents {
			passed = passed && d["passed"] == true
		}
		accepted = accepted || passed
	}
	if !accepted {
		t.Error("approved without an enrolment that passed")
	}
}
