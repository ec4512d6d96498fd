package faceki

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// decoder returns an adapter that makes no call.
func decoder(tb testing.TB, version APIVersion, on OnAmbiguous, registerer prometheus.Registerer) *Adapter {
	tb.Helper()
	a, err := New(Config{APIVersion: version, ClientID: "c", ClientSecret: clientSecret, OnAmbiguous: on, Registerer: registerer})
	if err != nil {
		tb.Fatal(err)
	}
	a.now = func() time.Time { return time.Unix(0, 0) }
	return a
}

// read decodes one answer for the person of the golden ones.
func read(tb testing.TB, version APIVersion, status int, body string) (vendors.Verdict, error) {
	tb.Helper()
	return decoder(tb, version, "", nil).decode(answerOf(status, body), reference)
}

func answerOf(status int, body string) vendors.Answer {
	return vendors.Answer{Status: status, Header: http.Header{}, Body: []byte(body), Reached: true}
}

func fault(t *testing.T, err error) *vendors.Error {
	t.Helper()
	var e *vendors.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a *vendors.Error", err)
	}
	return e
}

// summary is a verdict or an error in short.
func summary(t *testing.T, v vendors.Verdict, err error) string {
	t.Helper()
	if err == nil {
		s := string(v.Outcome)
		for _, r := range v.Reasons {
			s += " " + string(r)
		}
		return s
	}
	e := fault(t, err)
	s := e.Kind.String() + " " + e.Code
	if e.Unknown {
		s += ", unknown"
	}
	return s
}

// TestRuleV2 goes through the rule line by line, and through the order of its
// lines: each answer but the last fails all lines below its own, too.
func TestRuleV2(t *testing.T) {
	const face, otherFace = "face-1", "face-2"
	one := func(reference, face, status, deleted string) string {
		return fmt.Sprintf(`{"referenceId":%q,"faceID":%q,"status":%q,"deleteStatus":%q}`, reference, face, status, deleted)
	}
	mine := one(reference, face, "ACCEPTED", "ACTIVE")
	body := func(verified string, faces string, records ...string) string {
		return fmt.Sprintf(`{"responseCode":0,"data":{"face_verified":%s,"all_face_ids":%s,"kyc_records":[%s]}}`, verified, faces, strings.Join(records, ","))
	}
	for _, c := range []struct{ name, body, want string }{
		{"approved", body("true", `["face-1"]`, mine), "approved"},
		{"approved, numeric string as code", strings.Replace(body("true", `["face-1"]`, mine), `"responseCode":0`, `"responseCode":"0"`, 1), "approved"},
		{"approved, two records of one face, the other declined", body("true", `["face-1"]`, one(another, face, "DECLINED", "ACTIVE"), mine), "approved"},
		{"approved, a second record of the reference is active", body("true", `["face-1"]`, one(reference, face, "ACCEPTED", "DELETED"), mine), "approved"},
		{"approved, among several ids", body("true", `["x","face-1"]`, mine), "approved"},

		{"1: not verified, with records", body("false", `["face-1"]`, mine), "rejected no_match"},
		{"1: not verified, arrays absent", `{"responseCode":0,"data":{"face_verified":false}}`, "rejected no_match"},
		{"2: no records", body("true", `["face-1"]`), "rejected no_record"},
		{"2: records absent", `{"responseCode":0,"data":{"face_verified":true,"all_face_ids":["face-1"]}}`, "rejected no_record"},
		{"2: records null", `{"responseCode":0,"data":{"face_verified":true,"kyc_records":null}}`, "rejected no_record"},
		{"2: records of a strange kind", `{"responseCode":0,"data":{"face_verified":true,"kyc_records":{"referenceId":"` + reference + `"}}}`, "rejected no_record"},
		{"3: another reference", body("true", `["face-2"]`, one(another, otherFace, "ACCEPTED", "ACTIVE")), "rejected matched_other_person"},
		{"3: another reference, inactive", body("true", `[]`, one(another, otherFace, "DECLINED", "DELETED")), "rejected matched_other_person"},
		{"3: reference only in part", body("true", `["face-1"]`, one(reference[:31], face, "ACCEPTED", "ACTIVE")), "rejected matched_other_person"},
		{"3: reference elsewhere in the record", body("true", `["face-1"]`, `{"referenceId":"x","faceID":"face-1","status":"ACCEPTED","deleteStatus":"ACTIVE","_id":"`+reference+`","kycResponse":{"referenceId":"`+reference+`"}}`), "rejected matched_other_person"},
		{"3: a record that is none", body("true", `["face-1"]`, `"`+reference+`"`, `null`), "rejected matched_other_person"},
		{"4: declined, another person's is accepted", body("true", `["face-1","face-2"]`, one(reference, face, "DECLINED", "ACTIVE"), one(another, otherFace, "ACCEPTED", "ACTIVE")), "rejected record_not_active"},
		{"4: deleted", body("true", `["face-1"]`, one(reference, face, "ACCEPTED", "DELETED")), "rejected record_not_active"},
		{"4: accepted and active in two records", body("true", `["face-1"]`, one(reference, face, "ACCEPTED", "DELETED"), one(reference, face, "REVIEW", "ACTIVE")), "rejected record_not_active"},
		{"4: no status", body("true", `["face-1"]`, `{"referenceId":"`+reference+`","faceID":"face-1"}`), "rejected record_not_active"},
		{"5: somebody else too", body("true", `["face-2"]`, one(another, otherFace, "DECLINED", "DELETED"), mine), "rejected ambiguous"},
		{"5: somebody without a face id too", body("true", `["face-1"]`, mine, one(another, "", "ACCEPTED", "ACTIVE")), "rejected ambiguous"},
		{"6: face is not among those matched", body("true", `["face-2"]`, mine), "rejected inconsistent"},
		{"6: no faces", body("true", `[]`, mine), "rejected inconsistent"},
		{"6: no face id", body("true", `["",""]`, one(reference, "", "ACCEPTED", "ACTIVE")), "rejected inconsistent"},
	} {
		v, err := read(t, V2, 200, c.body)
		if got := summary(t, v, err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestRuleBlaze(t *testing.T) {
	body := func(result string) string { return `{"status":true,"code":200,"message":"OK","result":` + result + `}` }
	const passed = `"document_data":[{"passed":true}]`
	mine := `{"record_identifier":"` + reference + `",` + passed + `}`
	for _, c := range []struct{ name, body, want string }{
		{"approved", body(`[` + mine + `]`), "approved"},
		{"approved, enrolled twice", body(`[{"record_identifier":"` + reference + `"},` + mine + `]`), "approved"},
		{"nobody", body(`[]`), "rejected no_match"},
		{"another person", body(`[{"record_identifier":"x",` + passed + `}]`), "rejected matched_other_person"},
		{"somebody without an identifier", body(`[{"record_identifier":null,` + passed + `}]`), "rejected matched_other_person"},
		{"no documents", body(`[{"record_identifier":"` + reference + `","document_data":[]}]`), "rejected record_not_active"},
		{"a document failed", body(`[{"record_identifier":"` + reference + `","document_data":[{"passed":true},{"passed":false}]}]`), "rejected record_not_active"},
		{"a document says passed in words", body(`[{"record_identifier":"` + reference + `","document_data":[{"passed":"true"}]}]`), "rejected record_not_active"},
		{"not live when enrolled", body(`[{"record_identifier":"` + reference + `",` + passed + `,"selfie_data":{"liveness_pass":false}}]`), "rejected record_not_active"},
		{"somebody else too", body(`[` + mine + `,{"record_identifier":"x"}]`), "rejected ambiguous"},
		{"no result", `{"status":true,"code":200}`, "transient no_verdict, unknown"},
		{"result of a strange kind", body(mine), "transient no_verdict, unknown"},
		{"status false", strings.Replace(body(`[`+mine+`]`), "true", "false", 1), "transient no_verdict, unknown"},
		{"another code", strings.Replace(body(`[`+mine+`]`), "200", "5008", 1), "rejected other_rejection"},
		{"V2's answer", vendortest.Golden(t, "v2_approved.json"), "transient no_verdict, unknown"},
	} {
		v, err := read(t, Blaze, 200, c.body)
		if got := summary(t, v, err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestGoldenAnswers holds the whole verdict, so that nothing of the long records
// gets into any field of it.
func TestGoldenAnswers(t *testing.T) {
	rejected := func(r event.Reason) vendors.Verdict {
		return vendors.Verdict{Outcome: event.Rejected, Reasons: []event.Reason{r}, Liveness: event.LivenessNone}
	}
	approved := vendors.Verdict{Outcome: event.Approved, Liveness: event.LivenessNone}
	noFace := vendors.Verdict{Outcome: event.Unusable, Reasons: []event.Reason{event.NoFace}, Codes: []string{"8006"}, Liveness: event.LivenessNone}
	for file, want := range map[string]vendors.Verdict{
		"v2_approved.json":    approved,
		"v2_again.json":       approved,
		"v2_other.json":       rejected(event.MatchedOtherPerson),
		"v2_two.json":         rejected(event.Ambiguous),
		"v2_inactive.json":    rejected(event.RecordNotActive),
		"v2_declined.json":    rejected(event.RecordNotActive),
		"v2_stray.json":       rejected(event.Inconsistent),
		"v2_norecords.json":   rejected(event.NoRecord),
		"v2_nomatch.json":     rejected(event.NoMatch),
		"v2_error.json":       noFace,
		"blaze_approved.json": approved,
		"blaze_other.json":    rejected(event.MatchedOtherPerson),
		"blaze_two.json":      rejected(event.Ambiguous),
		"blaze_failed.json":   rejected(event.RecordNotActive),
		"blaze_nomatch.json":  rejected(event.NoMatch),
		"blaze_error.json":    noFace,
	} {
		version := V2
		if strings.HasPrefix(file, "blaze") {
			version = Blaze
		}
		got, err := read(t, version, 200, vendortest.Golden(t, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// TestWhatIsNoSuccess: an answer that would be an approval but for one thing.
func TestWhatIsNoSuccess(t *testing.T) {
	good := vendortest.Golden(t, "v2_approved.json")
	for _, c := range []struct {
		name, old, new string
		status         int
		want           string
	}{
		{"server error", "", "", 500, "transient no_verdict, unknown"},
		{"not found", "", "", 404, "transient no_verdict, unknown"},
		{"unauthorized", "", "", 401, "lane_fault token_refused"},
		{"yes in words", `"face_verified": true`, `"face_verified": "true"`, 200, "transient no_verdict, unknown"},
		{"yes as a number", `"face_verified": true`, `"face_verified": 1`, 200, "transient no_verdict, unknown"},
		{"no answer", `"face_verified": true,`, ``, 200, "transient no_verdict, unknown"},
		{"no code", `"responseCode": 0,
  "data"`, `"data"`, 200, "transient no_verdict, unknown"},
		{"another code", `"responseCode": 0`, `"responseCode": 8013`, 200, "rejected no_match"},
		{"unknown code", `"responseCode": 0`, `"responseCode": 4711`, 200, "unexplained unknown_code, unknown"},
		{"two codes", `"responseCode": 0`, `"responseCode": 8013, "ResponseCode": 0`, 200, "transient unreadable_answer, unknown"},
		{"two answers", `"face_verified": true`, `"face_verified": false, "face_verified": true`, 200, "transient unreadable_answer, unknown"},
		{"two references", `"referenceId": "` + reference, `"referenceID": "` + another + `", "referenceId": "` + reference, 200, "transient unreadable_answer, unknown"},
		{"an error beside it", `"face_verified": true`, `"error": {"code": "8006"}, "face_verified": true`, 200, "unusable no_face"},
		{"an unknown error beside it", `"face_verified": true`, `"error": {"code": "new"}, "face_verified": true`, 200, "transient no_verdict, unknown"},
		{"a status beside it", `"responseCode": 0`, `"statusCode": 403, "responseCode": 0`, 200, "lane_fault forbidden"},
		{"status false beside it", `"responseCode": 0`, `"status": false, "responseCode": 0`, 200, "transient no_verdict, unknown"},
		{"something after it", "\n}\n", "\n} {}\n", 200, "transient unreadable_answer, unknown"},
	} {
		body := good
		if c.old != "" {
			body = strings.Replace(good, c.old, c.new, 1)
			if body == good {
				t.Fatalf("%s: nothing to replace", c.name)
			}
		}
		v, err := read(t, V2, c.status, body)
		if got := summary(t, v, err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	v, err := decoder(t, V2, "", nil).decode(vendors.Answer{Status: 200, Body: []byte(good), Err: vendors.ErrAnswerTooLong}, reference)
	if got := summary(t, v, err); got != "transient unreadable_answer, unknown" {
		t.Errorf("answer cut off: %s", got)
	}
	many := strings.Replace(vendortest.Golden(t, "v2_nomatch.json"), `"kyc_records": []`, `"kyc_records": [`+strings.Repeat("{},", maxMatches)+`{}]`, 1)
	v, err = read(t, V2, 200, many)
	if got := summary(t, v, err); got != "transient unreadable_answer, unknown" {
		t.Errorf("endless records: %s", got)
	}
}

// TestDocumentedCodes states the classes once more, by hand, each with 200 and
// with 4xx, in every envelope.
func TestDocumentedCodes(t *testing.T) {
	for code, want := range map[string]string{
		"1":    "lane_fault token_refused",
		"400":  "refused 400",
		"500":  "transient 500, unknown",
		"1000": "transient 1000, unknown",
		"5001": "lane_fault 5001",
		"5002": "refused 5002",
		"5003": "lane_fault 5003",
		"5004": "rejected face_not_live",
		"5005": "rejected face_mismatch",
		"5006": "refused 5006",
		"5007": "rejected other_rejection",
		"5008": "rejected other_rejection",
		"5009": "lane_fault 5009",
		"5010": "rejected other_rejection",
		"5011": "rejected other_rejection",
		"7001": "lane_fault 7001",
		"8001": "refused 8001",
		"8002": "rejected other_rejection",
		"8003": "transient 8003",
		"8004": "unusable face_cropped",
		"8005": "unusable face_too_close",
		"8006": "unusable no_face",
		"8007": "unusable face_at_border",
		"8008": "unusable face_too_small",
		"8009": "unusable poor_light",
		"8010": "rejected other_rejection",
		"8011": "rejected other_rejection",
		"8012": "rejected other_rejection",
		"8013": "rejected no_match",
		"8014": "refused 8014",
		"8015": "refused 8015",
		"8016": "transient 8016",
		"8017": "lane_fault 8017",
		"8018": "unusable multiple_faces",
		"8019": "unusable face_blurred",
		"8020": "refused 8020",
		"8021": "refused 8021",
		"8022": "refused 8022",
		"8888": "unexplained unknown_code, unknown",
	} {
		for _, version := range []APIVersion{V2, Blaze} {
			for _, status := range []int{200, 400, 404, 422} {
				for _, body := range []string{
					`{"responseCode":` + code + `,"data":{"error":{"code":"x","message":"y"},"responseID":"z"}}`,
					`{"responseCode":"` + code + `"}`,
					`{"status":false,"code":` + code + `,"message":"y"}`,
					`{"data":{"error":{"code":"` + code + `"}}}`,
				} {
					if code == "8888" && !strings.Contains(body, "responseCode") {
						continue // falls back to the status
					}
					v, err := read(t, version, status, body)
					if got := summary(t, v, err); got != want {
						t.Errorf("%s, HTTP %d %s: %s, want %s", version, status, body, got, want)
					}
				}
			}
		}
	}
	if v, err := read(t, V2, 200, `{"data":{"error":{"code":"Face_Not_Found"}}}`); summary(t, v, err) != "unusable no_face" {
		t.Errorf("code by name: %s", summary(t, v, err))
	}
	if e := fault(t, second(read(t, V2, 503, `{"responseCode":8003}`))); !e.Unknown {
		t.Errorf("%v: an error on 503 is said to be known", e)
	}
}

func second[A, B any](_ A, b B) B { return b }

// TestStatusInTheBody: the envelope of errors from before the service can come
// with 200.
func TestStatusInTheBody(t *testing.T) {
	for status, want := range map[int]string{
		400: "refused ", 401: "lane_fault token_refused", 402: "lane_fault payment_required", 403: "lane_fault forbidden",
		404: "lane_fault wrong_address", 413: "unusable selfie_too_large", 422: "refused ", 429: "throttled ", 500: "transient , unknown",
	} {
		v, err := read(t, V2, 200, fmt.Sprintf(`{"status":false,"message":"m","statusCode":%d,"data":{}}`, status))
		if got := summary(t, v, err); got != want {
			t.Errorf("statusCode %d: %s, want %s", status, got, want)
		}
	}
	v, err := read(t, V2, 422, vendortest.Golden(t, "envelope_error.json"))
	if got := summary(t, v, err); got != "refused " {
		t.Errorf("envelope of the token page: %s", got)
	}
}

func TestAmbiguousIsHeldWhenAskedTo(t *testing.T) {
	for file, version := range map[string]APIVersion{"v2_two.json": V2, "blaze_two.json": Blaze} {
		_, err := decoder(t, version, HoldAmbiguous, nil).decode(answerOf(200, vendortest.Golden(t, file)), reference)
		if e := fault(t, err); e.Kind != vendors.Refused || e.Code != codeAmbiguous || e.Unknown {
			t.Errorf("%s: %v (unknown %v), want refused ambiguous", file, e, e.Unknown)
		}
		v, err := decoder(t, version, HoldAmbiguous, nil).decode(answerOf(200, vendortest.Golden(t, string(version)+"_approved.json")), reference)
		if err != nil || v.Outcome != event.Approved {
			t.Errorf("%s: %v, %v for a plain match", file, v, err)
		}
	}
}

func TestOtherPersonIsCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	a := decoder(t, V2, "", registry)
	const want = `# HELP reauth_matched_other_person_total Selfies that the vendor recognised as somebody else than the expected person.
# TYPE reauth_matched_other_person_total counter
reauth_matched_other_person_total{vendor="faceki"} %d
`
	for n, file := range []string{"v2_approved.json", "v2_other.json", "v2_nomatch.json", "v2_two.json", "v2_other.json"} {
		count := map[int]int{0: 0, 1: 1, 2: 1, 3: 1, 4: 2}[n]
		if _, err := a.decode(answerOf(200, vendortest.Golden(t, file)), reference); err != nil {
			t.Fatal(err)
		}
		if err := testutil.GatherAndCompare(registry, strings.NewReader(fmt.Sprintf(want, count))); err != nil {
			t.Errorf("after %s: %v", file, err)
		}
	}
	if _, err := New(Config{ClientID: "c", ClientSecret: clientSecret, Registerer: registry}); err == nil {
		t.Error("two adapters share one counter without an error")
	}
}
