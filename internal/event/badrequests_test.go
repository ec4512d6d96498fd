package event_test

import (
	"fmt"
	"strings"
)

// badRequests are plain values that Decode refuses: the faults, and whether
// the JSON Schema lets the value pass because it cannot say the rule.
var badRequests = []struct {
	name, value string
	want        []string
	schemaBlind bool
}{
	{"no object", `[1]`, []string{"not_an_object"}, false},
	{"null", `null`, []string{"not_an_object"}, false},
	{"no fields", `{}`, []string{"request_id missing", "submission_id missing", "vendor missing"}, false},
	{"nulls", `{"request_id":null,"vendor":null,"submission_id":null}`, []string{"request_id missing", "submission_id missing", "vendor missing"}, false},
	{"blank submission", strings.Replace(argosRequest, "s1", ` \t`, 1), []string{"submission_id missing"}, false},
	{"no vendor, no default", `{"request_id":"r","submission_id":"s","selfie_key":"k"}`, []string{"vendor missing"}, true},
	{"wrong types", `{"request_id":1,"vendor":[],"submission_id":{},"applicant_id":true,"selfie_key":false,"not_after":0,"cf1":1.5}`,
		[]string{"applicant_id wrong_type", "cf1 wrong_type", "not_after wrong_type", "request_id wrong_type", "selfie_key wrong_type", "submission_id wrong_type", "vendor wrong_type"}, false},
	{"request id alphabet", strings.Replace(argosRequest, "r-1", "r 1", 1), []string{"request_id bad_format"}, false},
	{"request id of other letters", strings.Replace(argosRequest, "r-1", "ré", 1), []string{"request_id bad_format"}, false},
	{"request id length", strings.Replace(argosRequest, "r-1", strings.Repeat("r", 129), 1), []string{"request_id too_long"}, false},
	{"request id with a newline at the end", strings.Replace(argosRequest, "r-1", `r-1\n`, 1), []string{"request_id bad_format"}, false},
	{"campaign id", strings.Replace(argosRequest, "{", `{"campaign_id":"a/b",`, 1), []string{"campaign_id bad_format"}, false},
	{"unknown vendor", strings.Replace(argosRequest, "argos", "Argos", 1), []string{"vendor unknown_vendor"}, false},
	{"unknown vendor and no id", `{"request_id":"r","vendor":"x"}`, []string{"submission_id missing", "vendor unknown_vendor"}, false},
	{"both ids", strings.Replace(argosRequest, "{", `{"applicant_id":"aplt_1",`, 1), []string{"submission_id both_ids"}, false},
	{"wrong id", `{"request_id":"r","vendor":"argos","applicant_id":"aplt_1","selfie_key":"k"}`, []string{"applicant_id wrong_id_for_vendor"}, false},
	{"wrong id for Checkout.com", `{"request_id":"r","vendor":"checkout","submission_id":"s","redirect_url":"https://a.example"}`, []string{"submission_id wrong_id_for_vendor"}, false},
	{"FACEKI without a subject", `{"request_id":"r","vendor":"faceki","selfie_key":"k"}`, []string{"submission_id missing"}, false},
	{"FACEKI without a selfie", `{"request_id":"r","vendor":"faceki","submission_id":"s"}`, []string{"selfie_key missing"}, false},
	{"Checkout.com without a redirect", `{"request_id":"r","vendor":"checkout","applicant_id":"aplt_1"}`, []string{"redirect_url missing"}, false},
	{"Rekognition without a reference", `{"request_id":"r","vendor":"rekognition","submission_id":"s","selfie_key":"k"}`, []string{"reference_key missing"}, false},
	{"Rekognition with nothing", `{"request_id":"r","vendor":"rekognition"}`, []string{"reference_key missing", "selfie_key missing", "submission_id missing"}, false},
	{"Rekognition with the wrong id", `{"request_id":"r","vendor":"rekognition","applicant_id":"aplt_1","selfie_key":"k","reference_key":"k"}`, []string{"applicant_id wrong_id_for_vendor"}, false},
	{"reference key with two dots", strings.Replace(argosRequest, "{", `{"reference_key":"a/../b",`, 1), []string{"reference_key path_trick"}, false},
	{"reference key length", strings.Replace(argosRequest, "{", `{"reference_key":"`+strings.Repeat("k", 1025)+`",`, 1), []string{"reference_key too_long"}, false},
	{"reference bucket", strings.Replace(argosRequest, "{", `{"reference_bucket":"other",`, 1), []string{"reference_bucket bucket_not_allowed"}, true},
	{"both buckets", strings.Replace(argosRequest, "{", `{"reference_bucket":"other","selfie_bucket":"third",`, 1), []string{"reference_bucket bucket_not_allowed", "selfie_bucket bucket_not_allowed"}, true},
	{"reference bucket of another type", strings.Replace(argosRequest, "{", `{"reference_bucket":["selfies"],`, 1), []string{"reference_bucket wrong_type"}, false},
	{"reference version", strings.Replace(argosRequest, "{", `{"reference_version":"a b",`, 1), []string{"reference_version bad_format"}, false},
	{"applicant id", `{"request_id":"r","vendor":"checkout","applicant_id":"aplt_","redirect_url":"https://a.example"}`, []string{"applicant_id bad_format"}, false},
	{"applicant id alphabet", `{"request_id":"r","vendor":"checkout","applicant_id":"aplt_a-b","redirect_url":"https://a.example"}`, []string{"applicant_id bad_format"}, false},
	{"applicant id length", `{"request_id":"r","vendor":"checkout","applicant_id":"aplt_` + strings.Repeat("a", 124) + `","redirect_url":"https://a.example"}`, []string{"applicant_id too_long"}, false},
	{"submission id with a blank inside", strings.Replace(argosRequest, "s1", "s 1", 1), []string{"submission_id bad_format"}, false},
	{"submission id length", strings.Replace(argosRequest, "s1", strings.Repeat("s", 257), 1), []string{"submission_id too_long"}, false},
	{"key with a leading slash", strings.Replace(argosRequest, "a/b.jpg", "/a", 1), []string{"selfie_key path_trick"}, false},
	{"key with a trailing slash", strings.Replace(argosRequest, "a/b.jpg", "a/", 1), []string{"selfie_key path_trick"}, false},
	{"key with an empty segment", strings.Replace(argosRequest, "a/b.jpg", "a//b", 1), []string{"selfie_key path_trick"}, false},
	{"key with a dot", strings.Replace(argosRequest, "a/b.jpg", "a/./b", 1), []string{"selfie_key path_trick"}, false},
	{"key with two dots", strings.Replace(argosRequest, "a/b.jpg", "..", 1), []string{"selfie_key path_trick"}, false},
	{"key with escaped dots", strings.Replace(argosRequest, "a/b.jpg", `a\/\u002e\u002e/b`, 1), []string{"selfie_key path_trick"}, false},
	{"key with a backslash", strings.Replace(argosRequest, "a/b.jpg", `a\\b`, 1), []string{"selfie_key path_trick"}, false},
	{"key with a control character", strings.Replace(argosRequest, "a/b.jpg", `a\u0000b`, 1), []string{"selfie_key bad_format"}, false},
	{"key with a C1 control character", strings.Replace(argosRequest, "a/b.jpg", `a\u0085b`, 1), []string{"selfie_key bad_format"}, false},
	{"key length", strings.Replace(argosRequest, "a/b.jpg", strings.Repeat("k", 1025), 1), []string{"selfie_key too_long"}, false},
	{"key length in bytes", strings.Replace(argosRequest, "a/b.jpg", strings.Repeat("é", 513), 1), []string{"selfie_key too_long"}, true},
	{"bucket", strings.Replace(argosRequest, "{", `{"selfie_bucket":"other",`, 1), []string{"selfie_bucket bucket_not_allowed"}, true},
	{"version", strings.Replace(argosRequest, "{", `{"selfie_version":"a b",`, 1), []string{"selfie_version bad_format"}, false},
	{"version length", strings.Replace(argosRequest, "{", `{"selfie_version":"`+strings.Repeat("v", 1025)+`",`, 1), []string{"selfie_version too_long"}, false},
	{"free text length", strings.Replace(argosRequest, "{", `{"user_id":"`+strings.Repeat("u", 257)+`","cf3":"`+strings.Repeat("u", 257)+`",`, 1), []string{"cf3 too_long", "user_id too_long"}, false},
	{"redirect without TLS", strings.Replace(argosRequest, "{", `{"redirect_url":"http://a.example/",`, 1), []string{"redirect_url bad_format"}, false},
	{"redirect with a user", strings.Replace(argosRequest, "{", `{"redirect_url":"https://a.example@b.example/",`, 1), []string{"redirect_url bad_format"}, false},
	{"redirect without a host", strings.Replace(argosRequest, "{", `{"redirect_url":"https:///a",`, 1), []string{"redirect_url bad_format"}, false},
	{"redirect with a bad escape", strings.Replace(argosRequest, "{", `{"redirect_url":"https://a.example/%2",`, 1), []string{"redirect_url bad_format"}, false},
	{"redirect with a backslash", strings.Replace(argosRequest, "{", `{"redirect_url":"https://a.example\\@b.example",`, 1), []string{"redirect_url bad_format"}, false},
	{"redirect length", strings.Replace(argosRequest, "{", `{"redirect_url":"https://a.example/`+strings.Repeat("a", 2048)+`",`, 1), []string{"redirect_url too_long"}, false},
	{"time without an offset", strings.Replace(argosRequest, "{", `{"not_after":"2026-11-21T10:00:00",`, 1), []string{"not_after bad_format"}, false},
	{"time with a comma", strings.Replace(argosRequest, "{", `{"not_after":"2026-11-21T10:00:00,5Z",`, 1), []string{"not_after bad_format"}, false},
	{"time in small letters", strings.Replace(argosRequest, "{", `{"not_after":"2026-11-21t10:00:00z",`, 1), []string{"not_after bad_format"}, false},
	{"time on a day that is not", strings.Replace(argosRequest, "{", `{"requested_at":"2026-02-30T10:00:00Z",`, 1), []string{"requested_at bad_format"}, false},
	{"leap second", strings.Replace(argosRequest, "{", `{"not_after":"2016-12-31T23:59:60Z",`, 1), []string{"not_after bad_format"}, false},
	{"the zero time", strings.Replace(argosRequest, "{", `{"not_after":"0001-01-01T00:00:00Z",`, 1), []string{"not_after bad_format"}, false},
	{"before 1970 in UTC only", strings.Replace(argosRequest, "{", `{"not_after":"1970-01-01T00:00:00+01:00",`, 1), []string{"not_after bad_format"}, true},
	{"before 1970 as written only", strings.Replace(argosRequest, "{", `{"not_after":"1969-12-31T23:30:00-01:00",`, 1), []string{"not_after bad_format"}, false},
	{"a name twice", strings.Replace(argosRequest, "{", `{"submission_id":"s2",`, 1), []string{"submission_id duplicate_key"}, true},
	{"a name twice, once escaped", strings.Replace(argosRequest, "{", `{"submission\u005Fid":"s2",`, 1), []string{"submission_id duplicate_key"}, true},
	{"a name twice, once null", strings.Replace(argosRequest, "{", `{"submission_id":null,`, 1), []string{"submission_id duplicate_key"}, true},
	{"a case variant", strings.Replace(argosRequest, "{", `{"Submission_ID":"s2",`, 1), []string{"submission_id case_variant_key"}, true},
	{"a case variant by Unicode folding", strings.Replace(argosRequest, "{", `{"ſelfie_\u212Aey":"x",`, 1), []string{"selfie_key case_variant_key"}, true},
	{"a case variant alone", strings.Replace(argosRequest, "request_id", "Request_Id", 1), []string{"request_id case_variant_key"}, false},
	{"a foreign name twice", strings.Replace(argosRequest, "{", `{"x":1,"x":2,`, 1), []string{"duplicate_key"}, true},
	{"a foreign name twice, deep inside", strings.Replace(argosRequest, "{", `{"x":[{"y":{"z":1,"a":[],"z":2}}],`, 1), []string{"duplicate_key"}, true},
	{"a foreign name twice among hundreds", strings.Replace(argosRequest, "{", "{"+manyNames(300)+`"n7":1,`, 1), []string{"duplicate_key"}, true},
	{"a name of ours twice among hundreds", strings.Replace(argosRequest, "{", `{"vendor":"argos",`+manyNames(300), 1), []string{"vendor duplicate_key"}, true},
	{"half a surrogate pair", strings.Replace(argosRequest, "a/b.jpg", `a\ud83d`, 1), []string{"selfie_key lone_surrogate"}, true},
	{"surrogates the wrong way round", strings.Replace(argosRequest, "a/b.jpg", `\ude00\ud83d`, 1), []string{"selfie_key lone_surrogate"}, true},
}

// manyNames is the text of n members.
func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"n%d":0,`, i)
	}
	return b.String()
}
