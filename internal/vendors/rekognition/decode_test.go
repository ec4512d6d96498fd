package rekognition

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// TestErrorTypes holds every row of the table, in each form in which a type may
// be written.
func TestErrorTypes(t *testing.T) {
	a := decoder(t)
	wants := map[string]string{
		"InvalidParameterException":   "unusable no_face",
		"InvalidImageFormatException": "unusable selfie_unreadable",
		"ImageTooLargeException":      "ineligible reference_unusable",
		"InvalidS3ObjectException":    "ineligible subject_unknown",

		"RequestEntityTooLargeException": "unusable selfie_too_large",
		"RequestTooLargeException":       "unusable selfie_too_large",
	}
	for kind, types := range map[string][]string{
		"lane_fault %s": {
			"AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException",
			"SignatureDoesNotMatch", "IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken",
			"MissingAuthenticationTokenException", "ExpiredToken", "ExpiredTokenException", "RequestExpired", "NotAuthorized", "OptInRequired",
			"SubscriptionRequiredException", "UnknownOperationException", "InvalidAction",
		},
		"throttled %s": {
			"ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
		},
		"transient %s, unknown": {
			"InternalServerError", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeoutException", "RequestAbortedException",
		},
		"refused %s": {"ValidationException", "ValidationError", "SerializationException"},
	} {
		for _, name := range types {
			wants[name] = fmt.Sprintf(kind, name)
		}
	}
	for name := range errorTypes {
		want, ok := wants[name]
		if !ok {
			t.Errorf("%s is not tested", name)
		}
		for form, answer := range map[string]vendors.Answer{
			"body":       answerOf(400, `{"__type":"`+name+`","message":"m"}`),
			"namespaced": answerOf(400, `{"__type":"com.amazonaws.rekognition#`+name+`","Message":"m"}`),
			"Code":       answerOf(400, `{"Code":"`+name+`"}`),
			"code":       answerOf(403, `{"code":"`+name+`"}`),
			"header":     {Status: 400, Header: http.Header{"X-Amzn-Errortype": {name + ":http://internal.amazon.com/coral/"}}, Body: []byte("<html>")},
			"header only": {Status: 400, Header: http.Header{"X-Amzn-Errortype": {name}},
				Body: []byte(`{"__type":"NeverSeenBefore"}`)},
		} {
			v, _, err := a.decode(answer)
			if got := summary(t, v, err); got != want {
				t.Errorf("%s in the %s: %s, want %s", name, form, got, want)
			}
			if err == nil {
				if diff := cmp.Diff([]string{name}, v.Codes); diff != "" {
					t.Errorf("%s: codes %s", name, diff)
				}
			}
		}
	}
}

func TestAnswersThatAreNoComparison(t *testing.T) {
	a := decoder(t)
	const face = `"SourceImageFace":{"Confidence":99.9}`
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"no reference's face":      {200, `{"FaceMatches":[{"Similarity":99}],"UnmatchedFaces":[]}`, "transient no_verdict, unknown"},
		"no matches":               {200, `{` + face + `}`, "transient no_verdict, unknown"},
		"matches are null":         {200, `{` + face + `,"FaceMatches":null}`, "transient no_verdict, unknown"},
		"match without similarity": {200, `{` + face + `,"FaceMatches":[{}]}`, "transient no_verdict, unknown"},
		"similarity is text":       {200, `{` + face + `,"FaceMatches":[{"Similarity":"99"}]}`, "transient no_verdict, unknown"},
		"similarity above 100":     {200, `{` + face + `,"FaceMatches":[{"Similarity":100.5}]}`, "transient no_verdict, unknown"},
		"similarity below 0":       {200, `{` + face + `,"FaceMatches":[{"Similarity":-1}]}`, "transient no_verdict, unknown"},
		"one bad match of two":     {200, `{` + face + `,"FaceMatches":[{"Similarity":99},{}]}`, "transient no_verdict, unknown"},
		"faces are a number":       {200, `{` + face + `,"FaceMatches":[],"UnmatchedFaces":1}`, "transient no_verdict, unknown"},
		"a page":                   {200, "<html>", "transient unreadable_answer, unknown"},
		"something behind":         {200, vendortest.Golden(t, "matched.json") + "{}", "transient unreadable_answer, unknown"},
		"another success":          {202, vendortest.Golden(t, "matched.json"), "transient no_verdict, unknown"},
		"an error with 200":        {200, `{"__type":"InvalidParameterException"}`, "transient no_verdict, unknown"},
		"a verdict with 500":       {500, `{"__type":"InvalidParameterException"}`, "transient unknown_error_type, unknown"},
		"throttled with 500":       {500, `{"__type":"ThrottlingException"}`, "throttled ThrottlingException"},
		"new type":                 {400, `{"__type":"NeverSeenBefore"}`, "unexplained unknown_error_type"},
		"new type with 503":        {503, `{"__type":"NeverSeenBefore"}`, "transient unknown_error_type, unknown"},
		"new type with 403":        {403, `{"__type":"NeverSeenBefore"}`, "lane_fault forbidden"},
		"nothing with 413":         {413, "", "unusable selfie_too_large"},
	} {
		v, _, err := a.decode(answerOf(c.status, c.body))
		if got := summary(t, v, err); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestHalfAnAnswerIsNone: the part that is missing could have said otherwise.
func TestHalfAnAnswerIsNone(t *testing.T) {
	a := decoder(t)
	for status, want := range map[int]string{
		200: "transient unreadable_answer, unknown", 400: "transient unreadable_answer, unknown", 403: "lane_fault forbidden",
	} {
		answer := answerOf(status, vendortest.Golden(t, "matched.json"))
		if status != 200 {
			answer = answerOf(status, vendortest.Golden(t, "noface.json"))
		}
		answer.Err = vendors.ErrAnswerTooLong
		v, _, err := a.decode(answer)
		if got := summary(t, v, err); got != want {
			t.Errorf("HTTP %d: %s, want %s", status, got, want)
		}
	}
}

func TestFacesDecide(t *testing.T) {
	for name, c := range map[string]struct {
		matches   string
		unmatched string
		want      string
		score     float64 // negative: none
	}{
		"one above":           {`{"Similarity":90}`, ``, "approved", 90},
		"one below":           {`{"Similarity":89.99}`, ``, "rejected similarity_below_threshold", 89.99},
		"one at zero":         {`{"Similarity":0}`, ``, "rejected similarity_below_threshold", 0},
		"one not matched":     {``, `{}`, "rejected no_match", -1},
		"none":                {``, ``, "unusable no_face", -1},
		"two, one of them":    {`{"Similarity":99},{"Similarity":1}`, ``, "unusable multiple_faces", 99},
		"two, in other order": {`{"Similarity":1},{"Similarity":99}`, ``, "unusable multiple_faces", 99},
		"two alike":           {`{"Similarity":99},{"Similarity":99}`, ``, "unusable multiple_faces", 99},
		"one and a stranger":  {`{"Similarity":99}`, `{}`, "unusable multiple_faces", 99},
		"two strangers":       {``, `{},{}`, "unusable multiple_faces", -1},
	} {
		v, _, err := decoder(t).decode(answerOf(200, `{"SourceImageFace":{},"FaceMatches":[`+c.matches+`],"UnmatchedFaces":[`+c.unmatched+`]}`))
		if got := summary(t, v, err); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if got, ok := v.Scores["similarity"]; ok != (c.score >= 0) || ok && got != c.score {
			t.Errorf("%s: score %v (%v), want %v", name, got, ok, c.score)
		}
	}
}

func TestRetryAfterIsRead(t *testing.T) {
	answer := answerOf(400, `{"__type":"ThrottlingException"}`)
	answer.Header.Set("Retry-After", "7")
	_, _, err := decoder(t).decode(answer)
	if e := fault(t, err); e.RetryAfter != 7*time.Second {
		t.Errorf("%v", e.RetryAfter)
	}
}
