package event_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

// dump writes rec as a text: position, key, time and headers, a blank line,
// and the value as it is.
func dump(rec event.Record) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "topic: %s\npartition: %d\nkey: %s\n", rec.Topic, rec.Partition, rec.Key)
	fmt.Fprintf(&b, "time: %s\n", rec.Time.Format(time.RFC3339Nano))
	for _, h := range rec.Headers {
		fmt.Fprintf(&b, "header %s: %s\n", h.Key, h.Value)
	}
	fmt.Fprintf(&b, "\n%s\n", rec.Value)
	return []byte(b.String())
}

var sampleRequest = event.Request{
	RequestID: "camp-7:000001", Vendor: event.Argos, SubmissionID: "x7k2m9", SelfieKey: "2026/11/21/000001.jpg",
	SelfieBucket: "selfies", SelfieVersion: "v1", UserID: "u-1", CF1: "a&b", CF2: "<c>", CF3: "d", CampaignID: "camp-7",
	NotAfter: received.Add(24 * time.Hour), RequestedAt: received,
}

// sampleReference is a request with a picture to compare with.
var sampleReference = event.Request{
	RequestID: "camp-10:000001", Vendor: event.Rekognition, SubmissionID: "customer-4711", SelfieKey: "2026/11/21/000001.jpg",
	ReferenceKey: "portraits/4711.jpg", ReferenceBucket: "selfies", ReferenceVersion: "v7", RequestedAt: received,
}

var samplePending = event.Pending{
	RequestID: "camp-8:000001", CampaignID: "camp-8", Vendor: event.Checkout, ApplicantID: "aplt_w3xt7k2m9", UserID: "u-1",
	VendorReference: "fav_x1", VerificationURL: "https://capture.example/abc/?a=1&b=2", ExpiresAt: received.Add(15 * time.Minute),
	Attempt: 1, Source: event.Source{Topic: event.TopicRequests, Partition: 3, Offset: 1208}, AnnouncedAt: received,
}

var sampleDeadLetter = event.DeadLetter{
	Class: "transient", Stage: event.StageVendor, Reason: event.AttemptsExhausted, Message: "argos: authenticate: transient: HTTP 502",
	Group: "faceauth", DeliveryCount: 8, FirstSeen: received, FailedAt: received.Add(20 * time.Minute),
	RequestID: "camp-7:000001", Vendor: event.Argos, CampaignID: "camp-7",
}

// sampleResult is what may be published with outcome.
func sampleResult(outcome event.Outcome) event.Result {
	r := event.Result{
		RequestID: "camp-7:000001", CampaignID: "camp-7", Vendor: event.Argos, SubmissionID: "x7k2m9", UserID: "u-1",
		Outcome: outcome, Liveness: event.LivenessNone, Attempts: 1,
		TimingsMS: event.Timings{Queued: 900, Total: 900}, Revision: 1, Final: true,
		Source:      event.Source{Topic: event.TopicRequests, Partition: 3, Offset: 1207},
		CompletedAt: received.Add(2345 * time.Millisecond),
	}
	selfie := func() {
		r.SelfieSHA256, r.SelfieBytes, r.TimingsMS.Selfie = strings.Repeat("0123456789abcdef", 4), 48213, 40
	}
	call := func() {
		selfie()
		r.Calls, r.Cost, r.Currency = 1, "0.00", "EUR"
		r.TimingsMS = event.Timings{Queued: 900, Selfie: 40, Permit: 515, Vendor: 890, Total: 2345}
	}
	switch outcome {
	case event.Approved:
		call()
		r.Cost = "0.10"
		r.VendorReference, r.Scores = "a-1", map[string]float64{"similarity": 97.1, "occlusion": 99}
	case event.Rejected:
		call()
		r.Reasons, r.VendorCodes = []event.Reason{event.SimilarityBelowThreshold}, []string{"face_compare_underscore"}
		r.Cost = "0.10"
		r.VendorReference, r.Scores = "a-2", map[string]float64{"similarity": 61.2, "occlusion": 99}
	case event.Unusable:
		r.Reasons = []event.Reason{event.SelfieNotFound}
	case event.Ineligible:
		call()
		r.Reasons, r.VendorCodes = []event.Reason{event.SubjectUnknown}, []string{"Invalid_submissionId"}
	case event.Expired:
		r.Reasons, r.Attempts = []event.Reason{event.NotAfterPassed}, 0
	case event.Withdrawn:
		r.Reasons, r.Attempts = []event.Reason{event.WithdrawnBy}, 0
	case event.Failed:
		call()
		r.Reasons, r.Calls, r.Attempts = []event.Reason{event.AttemptsExhausted}, 8, 8
	}
	return r
}

func TestGoldenRequests(t *testing.T) {
	s := schema(t, "request.schema.json")
	encoded, err := sampleRequest.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := accepts(t, s, encoded); err != nil {
		t.Error(err)
	}
	asEvent, err := sampleRequest.Record(event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	plainRecord := plain(string(encoded))
	plainRecord.Key = []byte(sampleRequest.RequestID)
	whole := structured(envelope(string(encoded)))
	whole.Key = plainRecord.Key
	for name, rec := range map[string]event.Record{
		"request.plain.txt":      plainRecord,
		"request.binary.txt":     asEvent,
		"request.structured.txt": whole,
	} {
		golden(t, name, dump(rec))
		got, err := event.Decode(rec, rules)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(sampleRequest, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestGoldenRequestWithReference(t *testing.T) {
	rec, err := sampleReference.Record(event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "request.reference.txt", dump(rec))
	if err := accepts(t, schema(t, "request.schema.json"), rec.Value); err != nil {
		t.Error(err)
	}
	got, err := event.Decode(rec, rules)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleReference, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGoldenResults(t *testing.T) {
	s := schema(t, "result.schema.json")
	for _, outcome := range event.Outcomes() {
		want := sampleResult(outcome)
		rec, err := want.Record(event.TopicResults, "/reauth/consumer")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "result."+string(outcome)+".txt", dump(rec))
		if err := accepts(t, s, rec.Value); err != nil {
			t.Errorf("%s: %v", outcome, err)
		}
		got, err := event.DecodeResult(rec)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", outcome, diff)
		}
	}
}

func TestGoldenPending(t *testing.T) {
	rec, err := samplePending.Record(event.TopicResults, "/reauth/consumer")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "pending.txt", dump(rec))
	if err := accepts(t, schema(t, "pending.schema.json"), rec.Value); err != nil {
		t.Error(err)
	}
	got, err := event.DecodePending(rec)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(samplePending, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGoldenDeadLetters(t *testing.T) {
	original, err := sampleRequest.Record(event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	original.Partition, original.Offset = 3, 1207
	dead := sampleDeadLetter.Record(event.TopicDead, original)
	golden(t, "deadletter.txt", dump(dead))

	back, err := event.Redrive(dead, event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	back.Time = received.Add(time.Hour)
	golden(t, "redriven.txt", dump(back))
	back.Offset = 5000
	golden(t, "deadletter.again.txt", dump(sampleDeadLetter.Record(event.TopicDead, back)))
}
