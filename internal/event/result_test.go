package event_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reauth/internal/event"
)

// TestResultIsThatOfEncodingJSON holds what a result's record says and the fields of
// Result together.
func TestResultIsThatOfEncodingJSON(t *testing.T) {
	if fields := reflect.TypeFor[event.Result]().NumField(); fields != 23 {
		t.Errorf("%d fields: write the new ones, and set them here", fields)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.SampledFrom([]string{"argos", "<a&b>", "\"\\\n\x00\xff\u2028"}), rapid.String())
		number := rapid.OneOf(rapid.Just(0), rapid.Int())
		r := event.Result{
			RequestID: "r-1", CampaignID: text.Draw(t, "campaign"), Vendor: event.Vendor(text.Draw(t, "vendor")),
			SubmissionID: text.Draw(t, "submission"), ApplicantID: text.Draw(t, "applicant"), UserID: text.Draw(t, "user"),
			Outcome: event.Outcome(text.Draw(t, "outcome")), Scores: rapid.MapOf(text, rapid.Float64()).Draw(t, "scores"),
			VendorReference: text.Draw(t, "reference"), Liveness: event.LivenessVendor, Calls: number.Draw(t, "calls"), Attempts: number.Draw(t, "attempts"),
			Cost: text.Draw(t, "cost"), Currency: text.Draw(t, "currency"), SelfieSHA256: text.Draw(t, "sha256"), SelfieBytes: int64(number.Draw(t, "bytes")),
			TimingsMS: event.Timings{Queued: 1, Selfie: 2, Permit: 3, Vendor: 4, Total: int64(number.Draw(t, "total"))},
			Revision:  rapid.IntRange(1, 9).Draw(t, "revision"), Final: rapid.Bool().Draw(t, "final"),
			Source:      event.Source{Topic: text.Draw(t, "topic"), Partition: number.Draw(t, "partition"), Offset: int64(number.Draw(t, "offset"))},
			CompletedAt: time.Unix(rapid.Int64Range(0, 1<<37).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC(),
		}
		if rapid.Bool().Draw(t, "reasons") {
			r.Reasons, r.VendorCodes = []event.Reason{event.NoMatch}, []string{text.Draw(t, "code")}
		}
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
		got, err := r.Record("results", "/reauth")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), string(got.Value)+"\n"); diff != "" {
			t.Fatalf("(-encoding/json +Record):\n%s", diff)
		}
	})
}
