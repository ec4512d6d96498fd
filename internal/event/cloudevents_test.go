package event_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

// sdkEvent turns a record in binary mode into an event of the CloudEvents SDK,
// as its bindings do it: a header ce_x is the attribute x.
func sdkEvent(t *testing.T, rec event.Record) ce.Event {
	t.Helper()
	attributes := map[string]any{"data": json.RawMessage(rec.Value)}
	for _, h := range rec.Headers {
		if name, ok := strings.CutPrefix(h.Key, "ce_"); ok {
			attributes[name] = string(h.Value)
		}
		if h.Key == "content-type" {
			attributes["datacontenttype"] = string(h.Value)
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(attributes); err != nil {
		t.Fatal(err)
	}
	var e ce.Event
	if err := json.Unmarshal(text.Bytes(), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTheCloudEventsSDKReadsOurEvents(t *testing.T) {
	result, err := sampleResult(event.Approved).Record(event.TopicResults, "/reauth/consumer")
	if err != nil {
		t.Fatal(err)
	}
	pending, err := samplePending.Record(event.TopicResults, "/reauth/consumer")
	if err != nil {
		t.Fatal(err)
	}
	request, err := sampleRequest.Record(event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range []event.Record{result, pending, request} {
		e := sdkEvent(t, rec)
		if err := e.Validate(); err != nil {
			t.Errorf("%s: %v", event.TypeOf(rec), err)
		}
		if e.Type() != event.TypeOf(rec) || e.Subject() != string(rec.Key) || !e.Time().Equal(rec.Time) || string(e.Data()) != string(rec.Value) {
			t.Errorf("%s: the SDK reads %v", event.TypeOf(rec), e)
		}
	}
}

func TestDecodeReadsWhatTheCloudEventsSDKWrites(t *testing.T) {
	text, err := sampleRequest.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]func(*ce.Event) error{
		"data":        func(e *ce.Event) error { return e.SetData("application/json", json.RawMessage(text)) },
		"data_base64": func(e *ce.Event) error { return e.SetData("application/octet-stream", text) },
	} {
		t.Run(name, func(t *testing.T) {
			e := ce.New()
			e.SetID("1")
			e.SetSource("/onboarding")
			e.SetType(event.TypeRequest)
			e.SetSubject("x")
			e.SetTime(received)
			e.SetExtension("traceparent", "00-1-2-3")
			if err := set(&e); err != nil {
				t.Fatal(err)
			}
			value, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(value), `"`+name+`":`) {
				t.Fatalf("the SDK writes no %s: %s", name, value)
			}
			got, err := event.Decode(structured(string(value)), rules)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sampleRequest, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
