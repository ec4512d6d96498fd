package event_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"reauth/internal/event"
)

// asyncAPI returns the document as JSON would hold it.
func asyncAPI(t *testing.T) node {
	t.Helper()
	text, err := event.Schemas.ReadFile("schemas/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var n node
	if err := json.Unmarshal(asJSON, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAsyncAPIExamplesKeepTheirSchemas(t *testing.T) {
	messages := asyncAPI(t).at("components", "messages")
	for _, name := range fields(messages) {
		message := messages.at(name)
		examples, _ := message["examples"].([]any)
		if len(examples) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, part := range []string{"headers", "payload"} {
			if message[part] == nil {
				continue
			}
			c := newCompiler()
			if err := c.AddResource(schemaBase+name+"."+part, any(map[string]any(message.at(part)))); err != nil {
				t.Fatal(err)
			}
			s, err := c.Compile(schemaBase + name + "." + part)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range examples {
				if err := s.Validate(e.(map[string]any)[part]); err != nil {
					t.Errorf("%s: %s of the example %v: %v", name, part, e.(map[string]any)["name"], err)
				}
			}
		}
	}
}

func TestAsyncAPIExamplesAreAcceptedByTheCode(t *testing.T) {
	messages := asyncAPI(t).at("components", "messages")
	record := func(name string) event.Record {
		example := messages.at(name)["examples"].([]any)[0].(map[string]any)
		value, err := json.Marshal(example["payload"])
		if err != nil {
			t.Fatal(err)
		}
		rec := plain(string(value))
		headers := node(example).at("headers")
		// The one header whose place matters comes first: JSON has no order.
		if class, ok := headers["reauth-error-class"].(string); ok {
			rec.Headers = append(rec.Headers, header("reauth-error-class", class))
			delete(headers, "reauth-error-class")
		}
		for key, v := range headers {
			rec.Headers = append(rec.Headers, header(key, v.(string)))
		}
		return rec
	}
	for _, name := range []string{"request", "requestEvent", "requestStructured"} {
		if _, err := event.Decode(record(name), rules); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := event.DecodeResult(record("result")); err != nil {
		t.Error(err)
	}
	if _, err := event.DecodePending(record("pending")); err != nil {
		t.Error(err)
	}
	if _, origin, _, err := event.ParseDeadLetter(record("deadLetter")); err != nil || origin.Offset != 1209 {
		t.Errorf("dead letter: origin %+v, %v", origin, err)
	}
}

func TestAsyncAPITopicsAreThoseOfTheCode(t *testing.T) {
	channels := asyncAPI(t).at("channels")
	var got []string
	for _, name := range fields(channels) {
		got = append(got, channels.at(name)["address"].(string))
	}
	slices.Sort(got)
	want := []string{event.TopicDead, event.TopicRequests, event.TopicPriority, event.TopicResults}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-code +contract):\n%s", diff)
	}
}

func TestAsyncAPIHeadersAreThoseOfTheCode(t *testing.T) {
	messages := asyncAPI(t).at("components", "messages")
	request, err := sampleRequest.Record(event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	result, err := sampleResult(event.Rejected).Record(event.TopicResults, "/reauth/consumer")
	if err != nil {
		t.Fatal(err)
	}
	pending, err := samplePending.Record(event.TopicResults, "/reauth/consumer")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		message string
		rec     event.Record
	}{
		{"requestEvent", request},
		{"result", result},
		{"pending", pending},
		{"deadLetter", sampleDeadLetter.Record(event.TopicDead, plain(argosRequest))},
	} {
		headers := messages.at(c.message, "headers")
		var got []string
		for _, h := range c.rec.Headers {
			got = append(got, h.Key)
			if want, ok := headers.at("properties", h.Key)["const"]; ok && want != string(h.Value) {
				t.Errorf("%s: %s is %q, in the contract %q", c.message, h.Key, h.Value, want)
			}
		}
		if c.message == "deadLetter" {
			checkHeaderOrder(t, got)
		}
		slices.Sort(got)
		if diff := cmp.Diff(fields(headers.at("properties")), got); diff != "" {
			t.Errorf("%s: headers (-contract +code):\n%s", c.message, diff)
		}
	}
}

// checkHeaderOrder holds the order of a dead letter's headers against the
// document, which promises it.
func checkHeaderOrder(t *testing.T, got []string) {
	t.Helper()
	text, err := event.Schemas.ReadFile("schemas/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, properties, _ := strings.Cut(string(text), "- reauth-error-stage\n        properties:")
	last := -1
	for _, key := range got {
		at := strings.Index(properties, "\n          "+key+":")
		if at <= last {
			t.Errorf("%s is out of order", key)
		}
		last = at
	}
}
