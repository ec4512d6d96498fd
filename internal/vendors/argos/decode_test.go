package argos

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

var at = time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)

// read decodes one answer.
func read(status int, body string) (vendors.Verdict, error) {
	a := &Adapter{now: func() time.Time { return at }}
	return a.decode(vendors.Answer{Status: status, Header: http.Header{}, Body: []byte(body), Reached: true})
}

func fault(t *testing.T, err error) *vendors.Error {
	t.Helper()
	var e *vendors.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a *vendors.Error", err)
	}
	return e
}

func TestVerdicts(t *testing.T) {
	approved := vendors.Verdict{Outcome: event.Approved, Reference: "a-1", Liveness: event.LivenessNone}
	rejected := func(reasons []event.Reason, codes ...string) vendors.Verdict {
		return vendors.Verdict{Outcome: event.Rejected, Reasons: reasons, Codes: codes, Reference: "a-1", Liveness: event.LivenessNone}
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   vendors.Verdict
	}{
		{"approved", 200, vendortest.Golden(t, "approved.json"), vendors.Verdict{
			Outcome: event.Approved, Reference: "auth-0001", Liveness: event.LivenessNone, At: at,
			Scores: map[string]float64{"similarity": 97.1, "occlusion": 99},
		}},
		{"rejected, every code in odd case, scores clamped", 200, vendortest.Golden(t, "rejected.json"), vendors.Verdict{
			Outcome:   event.Rejected,
			Reasons:   []event.Reason{event.SimilarityBelowThreshold, event.FaceOccluded, event.FaceProtectionMissing, event.HeadProtectionMissing},
			Codes:     []string{"face_compare_underscore", "face_occluded_FAIL", "face_cover_fail", "Head_Cover_Fail"},
			Reference: "auth-0002", Liveness: event.LivenessNone, At: at,
			Scores: map[string]float64{"similarity": 61.2, "occlusion": 12.5, "face_cover": 100, "head_cover": 0},
		}},
		{"letter case and blanks of the status", 200, `{"authentication_id":"a-1","auth_status":" Approved "}`, approved},
		{"empty fail codes are none", 201, `{"authentication_id":"a-1","auth_status":"approved","fail_code":[]}`, approved},
		{"null fail codes are none", 200, `{"authentication_id":"a-1","auth_status":"approved","fail_code":null,"errorCode":null}`, approved},
		{"rejected with any status", 500, `{"authentication_id":"a-1","auth_status":"REJECTED","fail_code":["Face_cover_fail"]}`,
			rejected([]event.Reason{event.FaceProtectionMissing}, "Face_cover_fail")},
		{"rejected without a code", 200, `{"authentication_id":"a-1","auth_status":"rejected"}`, rejected([]event.Reason{event.OtherRejection})},
		{"one code instead of a list", 200, `{"authentication_id":"a-1","auth_status":"rejected","fail_code":"face_compare_underscore"}`,
			rejected([]event.Reason{event.SimilarityBelowThreshold}, "face_compare_underscore")},
		{"new codes, one of them free text, are one reason", 200, `{"authentication_id":"a-1","auth_status":"rejected","fail_code":["new.code-1","Jane Doe is too old",7]}`,
			rejected([]event.Reason{event.OtherRejection}, "new.code-1", "7")},
		{"approved with a fail code", 200, `{"authentication_id":"a-1","auth_status":"approved","fail_code":["Face_cover_fail"]}`,
			rejected([]event.Reason{event.Inconsistent, event.FaceProtectionMissing}, "Face_cover_fail")},
		{"approved with fail codes of a strange kind", 200, `{"authentication_id":"a-1","auth_status":"approved","fail_code":{}}`,
			rejected([]event.Reason{event.Inconsistent, event.OtherRejection})},
		{"approved with an unknown error", 200, `{"authentication_id":"a-1","auth_status":"approved","errorCode":"new"}`, rejected([]event.Reason{event.Inconsistent})},
		{"approved with the text of an error", 200, `{"authentication_id":"a-1","auth_status":"approved","message":"no_face"}`, rejected([]event.Reason{event.Inconsistent})},
		{"scores that are no numbers are left out", 200, `{"authentication_id":"a-1","auth_status":"approved","score":{"face_similarity_score":"NaN","occluded_score":1e999,"face_cover_score":null,"head_cover_score":"Inf"}}`, approved},
		{"an id that cannot be one is left out", 200, `{"auth_status":"approved","authentication_id":"a 1"}`,
			vendors.Verdict{Outcome: event.Approved, Liveness: event.LivenessNone}},
		{"request too large", 413, "<html>", vendors.Verdict{
			Outcome: event.Unusable, Reasons: []event.Reason{event.SelfieTooLarge}, Codes: []string{codeTooLarge}, Liveness: event.LivenessNone,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(c.status, c.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// TestErrorCodesInEveryStyle goes through the whole table: by code and by text,
// in every field and letter case, with every status.
func TestErrorCodesInEveryStyle(t *testing.T) {
	for _, row := range errorCodes {
		for _, field := range []string{"errorCode", "error_code", "code", "error", "message", "errorMessage"} {
			for _, value := range []string{row.code, strings.ToUpper(row.code), row.text, strings.ToLower(row.text), row.text + "."} {
				if value == "" {
					continue
				}
				for _, status := range []int{200, 400, 403, 404, 422, 500} {
					body := fmt.Sprintf(`{"traceId":"t","%s":"%s"}`, field, value)
					v, err := read(status, body)
					if row.outcome != "" {
						if err != nil || v.Outcome != row.outcome || !cmp.Equal(v.Reasons, []event.Reason{row.reason}) || !cmp.Equal(v.Codes, []string{row.code}) {
							t.Errorf("%d %s: %+v, %v; want %s for %s", status, body, v, err, row.outcome, row.reason)
						}
						continue
					}
					e := fault(t, err)
					unknown := row.unknown || row.kind == vendors.Transient && status == 500
					if e.Kind != row.kind || e.Code != row.code || e.Status != status || e.Unknown != unknown {
						t.Errorf("%d %s: %v (unknown %v), want %s %s (unknown %v)", status, body, e, e.Unknown, row.kind, row.code, unknown)
					}
				}
			}
		}
	}
}

// TestDocumentedCodes states the classes once more, by hand: the table above
// takes them from the code.
func TestDocumentedCodes(t *testing.T) {
	for code, want := range map[string]string{
		"invalid_data_format":       "refused",
		"required_field_missing":    "lane_fault",
		"image_converting_error":    "unusable selfie_not_an_image",
		"no_face":                   "unusable no_face",
		"invalid_projectid":         "lane_fault",
		"invalid_submissionid":      "ineligible subject_unknown",
		"invalid_submission_status": "ineligible subject_not_approved",
		"image_processing_error":    "transient",
		"detection_server_error":    "transient",
		"data_processing_error":     "transient, unknown",
		"a_code_of_next_year":       "unexplained, unknown",
	} {
		v, err := read(400, `{"errorCode":"`+code+`"}`)
		var got string
		if err == nil {
			got = fmt.Sprintf("%s %s", v.Outcome, v.Reasons[0])
		} else {
			e := fault(t, err)
			got = e.Kind.String()
			if e.Unknown {
				got += ", unknown"
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name    string
		status  int
		body    string
		kind    vendors.Kind
		code    string
		unknown bool
	}{
		{"key missing or wrong", 403, `{"message":"Forbidden"}`, vendors.LaneFault, codeForbiddenKey, false},
		{"address not on the allow-list", 403, `{"Message":"User is not authorized to access this resource with an explicit deny"}`, vendors.LaneFault, codeForbiddenAddress, false},
		{"path that the gateway does not serve", 403, `{"message":"Missing Authentication Token"}`, vendors.LaneFault, codeWrongAddress, false},
		{"forbidden in other words", 403, `{"message":"Jane may not"}`, vendors.LaneFault, codeForbidden, false},
		{"forbidden by something else", 403, "<html>", vendors.LaneFault, codeForbidden, false},
		{"wrong base URL", 404, `{"message":"Not Found"}`, vendors.LaneFault, codeWrongAddress, false},
		{"redirect", 302, "", vendors.LaneFault, codeRedirected, false},
		{"unknown error with 200", 200, `{"errorCode":"new"}`, vendors.Transient, codeNoVerdict, true},
		{"status of a third kind", 200, `{"auth_status":"pending"}`, vendors.Transient, codeNoVerdict, true},
		{"approved by something that failed", 502, `{"auth_status":"approved","authentication_id":"a-1"}`, vendors.Transient, codeNoVerdict, true},
		{"approved by something that refused", 403, `{"auth_status":"approved","authentication_id":"a-1"}`, vendors.Transient, codeNoVerdict, true},
		{"two verdicts", 200, `{"auth_status":"rejected","auth_status":"approved"}`, vendors.Transient, codeUnreadable, true},
		{"two verdicts in two cases", 200, `{"auth_status":"rejected","Auth_Status":"approved"}`, vendors.Transient, codeUnreadable, true},
		{"something after the answer", 200, `{"auth_status":"approved"}{}`, vendors.Transient, codeUnreadable, true},
		{"unknown code with 5xx", 503, `{"errorCode":"new"}`, vendors.Transient, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := read(c.status, c.body)
			if err == nil {
				t.Fatalf("verdict %+v, want an error", v)
			}
			e := fault(t, err)
			if e.Kind != c.kind || e.Code != c.code || e.Unknown != c.unknown || e.Status != c.status {
				t.Errorf("%v (unknown %v), want %s %q (unknown %v)", e, e.Unknown, c.kind, c.code, c.unknown)
			}
		})
	}
}

func TestHalfAnAnswerIsNone(t *testing.T) {
	a := &Adapter{now: time.Now}
	for _, status := range []int{200, 400} {
		_, err := a.decode(vendors.Answer{Status: status, Body: []byte(vendortest.Golden(t, "approved.json")), Err: vendors.ErrAnswerTooLong, Reached: true})
		e := fault(t, err)
		if e.Kind != vendors.Transient || !e.Unknown || !errors.Is(err, vendors.ErrAnswerTooLong) {
			t.Errorf("HTTP %d: %v (unknown %v), want transient, unknown, with the cause", status, e, e.Unknown)
		}
	}
}
