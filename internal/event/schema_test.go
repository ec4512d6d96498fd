package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"reauth/internal/event"
)

const schemaBase = "embedded:///schemas/"

// embedded loads schemas from the program and refuses everything else.
type embedded struct{}

func (embedded) Load(url string) (any, error) {
	name, ok := strings.CutPrefix(url, "embedded:///")
	if !ok {
		return nil, fmt.Errorf("%s is not embedded", url)
	}
	text, err := event.Schemas.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}

func newCompiler() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(embedded{})
	return c
}

// schema compiles one of the embedded schemas.
func schema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	s, err := newCompiler().Compile(schemaBase + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// accepts validates a JSON text.
func accepts(t interface{ Fatal(...any) }, s *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

func TestSchemaAndDecodeRefuseTheSame(t *testing.T) {
	s := schema(t, "request.schema.json")
	for _, c := range badRequests {
		err := accepts(t, s, []byte(c.value))
		switch {
		case err == nil && !c.schemaBlind:
			t.Errorf("%s: the schema accepts it", c.name)
		case err != nil && c.schemaBlind:
			t.Errorf("%s: the schema refuses it after all: %v", c.name, err)
		}
	}
}

// blind tells whether JSON Schema cannot say the rule that f is about. sent
// are the fields of the request.
func blind(f event.Fault, sent map[string]any) bool {
	text, _ := sent[f.Field].(string)
	switch f.Code {
	case event.DuplicateKey, event.CaseVariantKey, event.LoneSurrogate, event.VendorDisabled, event.BucketNotAllowed:
		return true
	case event.TooLong: // It counts characters, not bytes.
		return len([]rune(text)) < len(text)
	case event.BadFormat: // It cannot convert to UTC.
		at, err := time.Parse(time.RFC3339, text)
		return err == nil && at.Year() != at.UTC().Year()
	case event.Missing, event.WrongIDForVendor: // It does not know the default vendor.
		return f.Field != "request_id" && (sent["vendor"] == nil || sent["vendor"] == "")
	}
	return false
}

// checkAgreement holds Decode's word on a plain value against the schema's.
func checkAgreement(t interface {
	Fatal(...any)
	Errorf(string, ...any)
}, s *jsonschema.Schema, value []byte, rules event.Rules) {
	_, err := event.Decode(plain(string(value)), rules)
	bySchema := accepts(t, s, value)
	if err == nil {
		if bySchema != nil {
			t.Errorf("Decode accepts and the schema refuses %s: %v", value, bySchema)
		}
		return
	}
	if bySchema != nil {
		return
	}
	var sent map[string]any
	if err := json.Unmarshal(value, &sent); err != nil {
		t.Fatal(err)
	}
	var refused *event.InvalidError
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	for _, f := range refused.Faults {
		if !blind(f, sent) {
			t.Errorf("Decode refuses for %v and the schema accepts %s", f, value)
		}
	}
}

// fieldValues are good and bad values by field.
var fieldValues = map[string]*rapid.Generator[any]{
	"request_id":        oneOf("r-1", "a:b.c_d", "r 1", strings.Repeat("r", 128), strings.Repeat("r", 129), "é", "r\n"),
	"vendor":            oneOf("argos", "faceki", "checkout", "rekognition", "Argos", "other"),
	"submission_id":     oneOf("s1", " s1\t", "s 1", "\n", "é", "s\u0000", strings.Repeat("s", 256), strings.Repeat("s", 257), strings.Repeat(" ", 256)+"s"),
	"applicant_id":      oneOf("aplt_1", "aplt_", "aplt_a_b", "aplt_a-b", "APLT_1", "x", " ", strings.Repeat("a", 129)),
	"selfie_key":        objectKeys,
	"selfie_bucket":     oneOf("selfies", "other"),
	"selfie_version":    oneOf("v1", "v 1", "é", strings.Repeat("v", 1024), strings.Repeat("v", 1025)),
	"reference_key":     objectKeys,
	"reference_bucket":  oneOf("selfies", "other"),
	"reference_version": oneOf("v1", "v 1", strings.Repeat("v", 1025)),
	"user_id":           oneOf("u", "é\u0000\n", strings.Repeat("u", 256), strings.Repeat("u", 257), strings.Repeat("é", 200)),
	"cf1":               oneOf("1", strings.Repeat("u", 257)),
	"cf2":               oneOf("2"),
	"cf3":               oneOf("3"),
	"redirect_url": oneOf("https://a.example", "https://a.example/b?c=d&e=%20#f", "https://a-b.c.example:443", "http://a.example", "https://", "https://-a",
		"https://a:b@c.example", "https://a.example:", "https://a.example:123456", "https://a.example/ ", "https://a.example/%zz", "HTTPS://a.example", "https://[::1]/", "//a.example", "https://a.example/é", "https://a.example\\b", "https://a.example\n"),
	"campaign_id":  oneOf("c-1", "c 1", strings.Repeat("c", 129)),
	"not_after":    instants,
	"requested_at": instants,
	"extra":        oneOf(map[string]any{"a": 1}, "x"),
}

var objectKeys = oneOf("a/b.jpg", "/a", "a/", "a//b", ".", "..", "...", "a/..", "../a", "a/..b/c", ".a", "a.", "a/./b", `a\b`, "a\u0007", "a\u009f", "é/ü", strings.Repeat("k", 1024), strings.Repeat("k", 1025), strings.Repeat("é", 600))

var instants = oneOf("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.123456789123+23:59", "2026-11-21T10:00:00+24:00", "2026-11-21T10:00:00+01:60",
	"2026-11-21T24:00:00Z", "2026-11-21T9:00:00Z", "2026-02-29T10:00:00Z", "2024-02-29T10:00:00-00:00", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z",
	"1970-01-01T00:00:00+01:00", "1969-12-31T23:30:00-01:00", "2999-12-31T23:59:59Z", "2999-12-31T23:59:59-01:00", "3000-01-01T00:00:00Z", "2016-12-31T23:59:60Z",
	"2026-11-21 10:00:00Z", "2026-11-21T10:00:00", "2026-11-21T10:00:00,5Z", "2026-11-21T10:00:00.Z", "2026-11-21T10:00Z", "0001-01-01T00:00:00Z", "now", "٢٠٢٦-11-21T10:00:00Z")

// oneOf draws the values of a field: mostly one of good, at times what fits no
// field or counts as absent.
func oneOf(good ...any) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		if rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
			return rapid.SampledFrom([]any{nil, "", true, 1.5, []any{}, map[string]any{}}).Draw(t, "value")
		}
		return rapid.SampledFrom(good).Draw(t, "value")
	})
}

func TestSchemaAndDecodeAgreeOnAnyRequest(t *testing.T) {
	s := schema(t, "request.schema.json")
	decided := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		// A good request, of which some fields are then replaced or dropped:
		// drawn from scratch next to nothing would be accepted.
		request := map[string]any{"request_id": "r-1"}
		switch v := rapid.SampledFrom([]string{"argos", "faceki", "checkout", "rekognition"}).Draw(t, "vendor"); v {
		case "checkout":
			request["vendor"], request["applicant_id"], request["redirect_url"] = v, "aplt_1", "https://a.example"
		case "rekognition":
			request["vendor"], request["submission_id"], request["selfie_key"], request["reference_key"] = v, "s1", "a/b.jpg", "a/c.jpg"
		default:
			request["vendor"], request["submission_id"], request["selfie_key"] = v, "s1", "a/b.jpg"
		}
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(fields(fieldValues)), 0, 4, rapid.ID[string]).Draw(t, "fields")
		for _, name := range names {
			if rapid.IntRange(0, 4).Draw(t, "drop") == 0 {
				delete(request, name)
				continue
			}
			request[name] = fieldValues[name].Draw(t, name)
		}
		value, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		withDefault := rules
		withDefault.DefaultVendor = rapid.SampledFrom([]event.Vendor{"", event.Argos, event.Checkout}).Draw(t, "default")
		_, err = event.Decode(plain(string(value)), withDefault)
		decided[err == nil]++
		checkAgreement(t, s, value, withDefault)
	})
	if decided[true] == 0 || decided[false] == 0 {
		t.Errorf("accepted %d, refused %d: the generator is of no use", decided[true], decided[false])
	}
}
