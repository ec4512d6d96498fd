package event_test

import (
	"testing"

	"reauth/internal/event"
)

// BenchmarkDecode measures the way of every record; allocations are one per
// text field and a few for the rest.
func BenchmarkDecode(b *testing.B) {
	full := `{"request_id":"camp-7:000001","vendor":"argos","submission_id":"x7k2m9","selfie_key":"2026/11/21/000001.jpg",` +
		`"user_id":"u-1","cf1":"a","campaign_id":"camp-7","not_after":"2026-11-22T00:00:00Z","requested_at":"2026-11-21T10:00:00Z","extra":{"a":[1,2,3]}}`
	binary := plain(full)
	binary.Headers = []event.Header{
		{Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_id", Value: []byte("1")},
		{Key: "ce_source", Value: []byte("/onboarding")},
		{Key: "ce_type", Value: []byte(event.TypeRequest)},
		{Key: "content-type", Value: []byte("application/json")},
	}
	structured := plain(`{"specversion":"1.0","id":"1","source":"/onboarding","type":"faceauth.request.v1","data":` + full + `}`)
	structured.Headers = []event.Header{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}}
	for _, c := range []struct {
		name string
		rec  event.Record
	}{
		{"plain", plain(argosRequest)},
		{"plain, all fields", plain(full)},
		{"binary, all fields", binary},
		{"structured, all fields", structured},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.rec.Value)))
			for b.Loop() {
				if _, err := event.Decode(c.rec, rules); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
