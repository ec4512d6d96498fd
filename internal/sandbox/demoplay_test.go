package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// A plain caller plays every row of Argos against the simulators and must end
// where Expect says.
func TestExpectAgreesWithTheSimulators(t *testing.T) {
	s := setup(t, func(o *Options) { o.S3.AllowAnonymous = true })
	for _, r := range demo() {
		if r.Vendor != event.Argos || r.NotAfter.Equal(lastYear) {
			continue
		}
		got := play(t, s, r)
		got.Charges = len(s.Argos.Charged(r.SubmissionID))
		if diff := cmp.Diff(ExpectRequest(r), got); diff != "" {
			t.Errorf("%s with %s (-want +got):\n%s", r.SubmissionID, r.SelfieKey, diff)
		}
	}
}

// The adapters play every kind of row of the other vendors.
func TestExpectAgreesWithTheAdapters(t *testing.T) {
	s := setup(t, withRekognition)
	comparer := rekognitionOf(t, s)
	searcher, faceki := facekiOf(t)
	random := rand.New(rand.NewPCG(1, 1))
	for _, v := range demoVendors {
		for _, k := range v.kinds {
			k.vendor = v.name
			r := k.row("1", random)
			want := ExpectRequest(r)
			got := Expectation{Outcome: want.Outcome}
			switch v.name {
			case event.Checkout:
				synctest.Test(t, func(t *testing.T) { got = finished(t, r.ApplicantID) })
			case event.Faceki:
				if selfie, fault := fetch(t, s, r.SelfieKey); fault != "" {
					got = Expectation{Outcome: event.Unusable, Reasons: []event.Reason{fault}}
				} else {
					got = attempts(t, searcher, vendors.Call{SubmissionID: r.SubmissionID, Selfie: photo(selfie)})
					got.Charges = len(faceki.Charged(r.SubmissionID))
				}
			case event.Rekognition:
				if selfie, fault := fetch(t, s, r.SelfieKey); fault != "" {
					got = Expectation{Outcome: event.Unusable, Reasons: []event.Reason{fault}}
				} else {
					s.Rekognition.Reset()
					got = attempts(t, comparer, vendors.Call{Selfie: photo(selfie), Reference: &vendors.ObjectRef{Key: r.ReferenceKey}})
					got.Charges = len(s.Rekognition.Charged(""))
				}
			default:
				continue
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %+v (-want +got):\n%s", v.name, k, diff)
			}
		}
	}
}

// play is a caller that knows no more than it must: it looks at the selfie,
// calls until there is an answer, and asks what was charged after a lost one.
func play(t *testing.T, s *Sandbox, r event.Request) Expectation {
	t.Helper()
	selfie, fault := fetch(t, s, r.SelfieKey)
	if fault != "" {
		return Expectation{Outcome: event.Unusable, Reasons: []event.Reason{fault}}
	}
	for range 3 {
		status, body := submit(t, s, r.SubmissionID, selfie)
		var answer struct {
			Status  string   `json:"auth_status"`
			Fails   []string `json:"fail_code"`
			Error   string   `json:"errorCode"`
			Message string   `json:"message"`
		}
		if json.Unmarshal(body, &answer) != nil || status >= 500 {
			if len(s.Argos.Charged(r.SubmissionID)) > 0 {
				return Expectation{Outcome: event.Approved}
			}
			continue
		}
		switch {
		case answer.Status == "approved":
			return Expectation{Outcome: event.Approved}
		case answer.Status == "rejected":
			return Expectation{Outcome: event.Rejected, Reasons: reasonsOf(answer.Fails)}
		case strings.Contains(answer.Error+answer.Message, "Face is not detected"):
			return Expectation{Outcome: event.Unusable, Reasons: []event.Reason{event.NoFace}}
		case strings.Contains(answer.Error+answer.Message, "find the submission"):
			return Expectation{Outcome: event.Ineligible, Reasons: []event.Reason{event.SubjectUnknown}}
		case strings.Contains(answer.Error+answer.Message, "must be approved"):
			return Expectation{Outcome: event.Ineligible, Reasons: []event.Reason{event.SubjectNotApproved}}
		}
	}
	return Expectation{Outcome: event.Failed, Reasons: []event.Reason{event.AttemptsExhausted}}
}

func reasonsOf(failCodes []string) (reasons []event.Reason) {
	table := map[string]event.Reason{
		"face_compare_underscore": event.SimilarityBelowThreshold,
		"face_occluded_fail":      event.FaceOccluded,
		"face_cover_fail":         event.FaceProtectionMissing,
		"head_cover_fail":         event.HeadProtectionMissing,
		"face_mirror_fail":        event.OtherRejection,
	}
	for _, code := range failCodes {
		reasons = append(reasons, table[strings.ToLower(code)])
	}
	return reasons
}

// fetch gets a selfie from S3, or says what is wrong with it.
func fetch(t *testing.T, s *Sandbox, key string) ([]byte, event.Reason) {
	t.Helper()
	resp, err := http.Get(s.S3URL() + "/selfies/" + key)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	png := bytes.HasPrefix(body, []byte("\x89PNG"))
	switch {
	case err != nil:
		t.Fatal(err)
	case resp.StatusCode == http.StatusNotFound:
		return nil, event.SelfieNotFound
	case len(body) == 0:
		return nil, event.SelfieEmpty
	case len(body) > 5<<20:
		return nil, event.SelfieTooLarge
	case png && body[16] == 0 && body[17] == 0 && body[18] > 0x20: // wider than 8192 pixels
		return nil, event.SelfiePixels
	case !png && !bytes.HasPrefix(body, []byte("\xff\xd8")):
		return nil, event.SelfieNotImage
	case !png && !bytes.HasSuffix(body, []byte("\xff\xd9")):
		return nil, event.SelfieTruncated
	}
	return body, ""
}

func TestExpectForWhatTheDemoLacks(t *testing.T) {
	for id, want := range map[string]Expectation{
		"sub-500-always-1":                            {event.Failed, []event.Reason{event.AttemptsExhausted}, 0},
		"sub-error-data_processing_error-always-1":    {event.Failed, []event.Reason{event.AttemptsExhausted}, 0},
		"sub-error-invalid_data_format-1":             {event.Failed, []event.Reason{event.RequestRefused}, 0},
		"sub-error-brand_new-1":                       {event.Approved, nil, 1},
		"sub-error-brand_new-always-1":                {event.Failed, []event.Reason{event.AttemptsExhausted}, 0},
		"sub-error-IMAGE_CONVERTING_ERROR-text-1":     {event.Unusable, []event.Reason{event.SelfieNotImage}, 0},
		"sub-error-Invalid_projectId-once-1":          {event.Approved, nil, 1},
		"sub-error-Invalid_projectId-always-1":        {},
		"sub-429-always-1":                            {},
		"sub-hang-once-1":                             {event.Approved, nil, 1},
		"sub-error-invalid_submission_status-twice-1": {event.Ineligible, []event.Reason{event.SubjectNotApproved}, 0},
	} {
		if diff := cmp.Diff(want, Expect(id, "selfies/1-60KB.jpg")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}
