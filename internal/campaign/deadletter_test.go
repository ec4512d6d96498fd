package campaign

import (
	"errors"
	"testing"
	"time"

	"reauth/internal/event"
)

var failedAt = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

func readDead(t *testing.T, rec event.Record) DeadLetter {
	t.Helper()
	d, err := ReadDeadLetter(rec)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestADeadLetterTellsWhatItsHeadersDo(t *testing.T) {
	original := event.Record{Topic: event.TopicRequests, Partition: 2, Offset: 7, Headers: []event.Header{
		{Key: event.HeaderCampaign, Value: []byte("autumn")}, {Key: event.HeaderRedrive, Value: []byte("2")}}}
	rec := event.DeadLetter{Class: "invalid", Stage: event.StageDecode}.Record(event.TopicDead, original)
	rec.Offset, rec.Time = 70, failedAt
	d := readDead(t, rec)
	if d.Position != (event.Source{Topic: event.TopicDead, Partition: 2, Offset: 70}) || d.Origin.Offset != 7 || d.Redrives != 2 {
		t.Errorf("at %+v from %+v, sent back %d times", d.Position, d.Origin, d.Redrives)
	}
	if d.CampaignID != "autumn" || !d.FailedAt.Equal(failedAt) {
		t.Errorf("campaign %q, failed at %s; want those of the original and the record", d.CampaignID, d.FailedAt)
	}
	original.Headers[0].Value = []byte("no id")
	if d := readDead(t, event.DeadLetter{Class: "invalid"}.Record(event.TopicDead, original)); d.CampaignID != "" {
		t.Errorf("campaign %q", d.CampaignID)
	}
	if _, err := ReadDeadLetter(original); !errors.Is(err, event.ErrNotDeadLetter) {
		t.Errorf("a request: %v", err)
	}
}

// Its headers leave out a vendor with a fault.
func TestADeadLetterTellsOfAVendorThatWasNotEnabled(t *testing.T) {
	for value, want := range map[string]event.Vendor{
		`{"request_id":"r1","vendor":"faceki","submission_id":"s","selfie_key":"k"}`: event.Faceki,
		`{"request_id":"r1","vendor":"faceki"}`:                                      event.Faceki, // with another fault
		`{"request_id":"r1","vendor":"nobody","submission_id":"s","selfie_key":"k"}`: "",
		`{"request_id":"r1","submission_id":"s"}`:                                    event.Argos, // the consumer's default, as the headers say
	} {
		original := event.Record{Topic: event.TopicRequests, Value: []byte(value)}
		_, err := event.Decode(original, event.Rules{DefaultVendor: event.Argos, Vendors: []event.Vendor{event.Argos}})
		var invalid *event.InvalidError
		if !errors.As(err, &invalid) {
			t.Fatalf("%s is no refusal: %v", value, err)
		}
		d := readDead(t, event.DeadLetter{Class: "invalid", Stage: invalid.Stage, Vendor: invalid.Vendor}.Record(event.TopicDead, original))
		if d.Vendor != want {
			t.Errorf("%s: vendor %q, want %q", value, d.Vendor, want)
		}
	}
}

func TestAFilterHoldsAllThatItNames(t *testing.T) {
	d := DeadLetter{DeadLetter: event.DeadLetter{Class: "transient", Stage: event.StageVendor, Reason: event.AttemptsExhausted,
		Vendor: event.Argos, CampaignID: "autumn", RequestID: "r1", FailedAt: failedAt}}
	for name, c := range map[string]struct {
		filter DeadLetterFilter
		want   bool
	}{
		"none":           {DeadLetterFilter{}, true},
		"one of two":     {DeadLetterFilter{Reasons: []event.Reason{"x", event.AttemptsExhausted}}, true},
		"all":            {DeadLetterFilter{Classes: []string{"transient"}, Stages: []event.Stage{event.StageVendor}, Requests: []string{"r1"}}, true},
		"one that fails": {DeadLetterFilter{Classes: []string{"transient"}, Campaigns: []string{"winter"}}, false},
		"reason":         {DeadLetterFilter{Reasons: []event.Reason{"x"}}, false},
		"class":          {DeadLetterFilter{Classes: []string{"x"}}, false},
		"stage":          {DeadLetterFilter{Stages: []event.Stage{event.StageSelfie}}, false},
		"vendor":         {DeadLetterFilter{Vendors: []event.Vendor{event.Faceki}}, false},
		"request":        {DeadLetterFilter{Requests: []string{"r2"}}, false},
		"since":          {DeadLetterFilter{Since: failedAt}, true},
		"since later":    {DeadLetterFilter{Since: failedAt.Add(1)}, false},
		"until":          {DeadLetterFilter{Until: failedAt}, false},
		"until later":    {DeadLetterFilter{Until: failedAt.Add(1)}, true},
	} {
		if got := c.filter.Matches(d); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if c.filter.IsZero() != (name == "none") {
			t.Errorf("%s: zero %t", name, c.filter.IsZero())
		}
	}
}
