package event_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reauth/internal/event"
)

// FuzzDecode: a record is refused with faults, or becomes a request that
// survives its way over the wire and that the schema accepts. A plain value is
// refused or accepted by the schema too.
func FuzzDecode(f *testing.F) {
	for _, c := range badRequests {
		f.Add([]byte(c.value), "", "")
	}
	f.Add([]byte(argosRequest), "", "")
	f.Add([]byte(argosRequest), "", event.TypeRequest)
	f.Add([]byte(`{"request_id":"r-1","vendor":"rekognition","submission_id":"s1","selfie_key":"a","reference_key":"b","reference_bucket":"selfies","reference_version":"1"}`), "", "")
	f.Add([]byte(envelope(argosRequest)), "application/cloudevents+json", "")
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"/o","type":"faceauth.request.v1","data_base64":"e30="}`), "application/cloudevents", "")
	s := schema(f, "request.schema.json")
	f.Fuzz(func(t *testing.T, value []byte, contentType, kind string) {
		rec := plain(string(value))
		if contentType != "" {
			rec.Headers = append(rec.Headers, header("content-type", contentType))
		}
		if kind != "" {
			rec.Headers = append(rec.Headers, binary("", header("ce_type", kind)).Headers...)
			rec.Headers = append(rec.Headers[:len(rec.Headers)-2], rec.Headers[len(rec.Headers)-1])
		}
		r, err := event.Decode(rec, rules)
		var e *event.InvalidError
		switch {
		case errors.As(err, &e):
			if len(e.Faults) == 0 || e.Stage == "" || e.Error() == "" {
				t.Fatalf("refused without a fault: %#v", e)
			}
			return
		case err != nil:
			t.Fatalf("not an InvalidError: %v", err)
		}
		text, err := r.Encode()
		if err != nil {
			t.Fatalf("accepted, and cannot be encoded: %v", err)
		}
		again, err := event.Decode(plain(string(text)), rules)
		if err != nil {
			t.Fatalf("accepted, encoded and refused: %v: %s", err, text)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatalf("changed on the way (-sent +got):\n%s", diff)
		}
		if err := accepts(t, s, text); err != nil {
			t.Fatalf("the schema refuses %s: %v", text, err)
		}
		if len(rec.Headers) == 0 {
			checkAgreement(t, s, value, rules)
		}
	})
}

// FuzzDecodeResult: a record is refused, or becomes a result that survives its
// way over the wire.
func FuzzDecodeResult(f *testing.F) {
	for _, outcome := range event.Outcomes() {
		rec, err := sampleResult(outcome).Record(event.TopicResults, "/reauth/consumer")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(rec.Value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := event.DecodeResult(event.Record{Value: value, Headers: []event.Header{header("ce_type", event.TypeResult)}})
		if err != nil || r.CompletedAt.IsZero() {
			return
		}
		rec, err := r.Record(event.TopicResults, "/reauth/consumer")
		if err != nil {
			// A time that is in year 10000 in UTC cannot be written.
			if year := r.CompletedAt.UTC().Year(); 0 <= year && year <= 9999 {
				t.Fatalf("decoded, and makes no record: %v", err)
			}
			return
		}
		again, err := event.DecodeResult(rec)
		if err != nil {
			t.Fatalf("decoded, written and refused: %v: %s", err, rec.Value)
		}
		if r.Liveness == "" {
			r.Liveness = event.LivenessNone
		}
		if diff := cmp.Diff(r, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("changed on the way (-sent +got):\n%s", diff)
		}
	})
}

// FuzzParseDeadLetter: a record is refused, or is a dead letter that can be
// written again from its parts.
func FuzzParseDeadLetter(f *testing.F) {
	dead := sampleDeadLetter.Record(event.TopicDead, plain(argosRequest))
	seed := func(rec event.Record, key, value string) {
		var all []byte
		for _, h := range rec.Headers {
			v := h.Value
			if h.Key == key {
				v = []byte(value)
			}
			all = append(append(append(append(all, h.Key...), 0), v...), 0)
		}
		f.Add(all)
	}
	seed(dead, "", "")
	seed(dead, "reauth-failed-at", "2999-12-31T23:59:59-01:00")
	seed(dead, "__dlq.errors.offset", "+7")
	seed(sampleDeadLetter.Record(event.TopicDead, dead), "", "")
	f.Fuzz(func(t *testing.T, headers []byte) {
		rec := event.Record{Topic: event.TopicDead, Key: []byte("k"), Value: []byte("v"), Headers: splitHeaders(headers)}
		d, origin, original, err := event.ParseDeadLetter(rec)
		if err != nil {
			return
		}
		d2, origin2, original2, err := event.ParseDeadLetter(d.Record(event.TopicDead, original))
		if err != nil {
			t.Fatalf("parsed, written and refused: %v", err)
		}
		if diff := cmp.Diff([]any{d, origin, original}, []any{d2, origin2, original2}); diff != "" {
			t.Fatalf("changed on the way (-parsed +again):\n%s", diff)
		}
	})
}

// splitHeaders reads headers from texts that end in a zero byte.
func splitHeaders(all []byte) []event.Header {
	var headers []event.Header
	var parts [][]byte
	start := 0
	for i, b := range all {
		if b == 0 {
			parts = append(parts, all[start:i])
			start = i + 1
		}
	}
	for i := 0; i+1 < len(parts); i += 2 {
		headers = append(headers, event.Header{Key: string(parts[i]), Value: parts[i+1]})
	}
	return headers
}
