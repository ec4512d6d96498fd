package event_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

func header(key, value string) event.Header { return event.Header{Key: key, Value: []byte(value)} }

// binary is a record in binary mode with value, and headers after the required ones.
func binary(value string, more ...event.Header) event.Record {
	rec := plain(value)
	rec.Headers = append([]event.Header{
		header("ce_specversion", "1.0"), header("ce_id", "1"),
		header("ce_source", "/onboarding"), header("ce_type", event.TypeRequest),
	}, more...)
	return rec
}

// structured is a record in structured mode with the event in value.
func structured(value string) event.Record {
	rec := plain(value)
	rec.Headers = []event.Header{header("content-type", "application/cloudevents+json; charset=UTF-8")}
	return rec
}

// envelope is a structured event around data.
func envelope(data string) string {
	return `{"specversion":"1.0","id":"1","source":"/onboarding","type":"faceauth.request.v1",` +
		`"time":"2026-11-21T10:00:00Z","datacontenttype":"application/json","data":` + data + `}`
}

func TestDecodeReadsTheSameRequestInEveryForm(t *testing.T) {
	want := event.Request{
		RequestID: "r-1", Vendor: event.Argos, SubmissionID: "s1", SelfieKey: "a/b.jpg", RequestedAt: received,
	}
	upper := structured(envelope(argosRequest))
	upper.Headers[0] = header("Content-Type", "Application/CloudEvents+JSON")
	for name, rec := range map[string]event.Record{
		"plain":                             plain(argosRequest),
		"plain with blanks":                 plain(" \r\n\t" + argosRequest + "\n"),
		"plain with foreign headers":        {Value: []byte(argosRequest), Time: received, Headers: []event.Header{header("traceparent", "x"), header("ce_partitionkey", "p")}},
		"plain with a content type":         {Value: []byte(argosRequest), Time: received, Headers: []event.Header{header("Content-Type", "application/json")}},
		"binary":                            binary(argosRequest),
		"binary with what SDKs add":         binary(argosRequest, header("ce_datacontenttype", "application/json"), header("ce_partitionkey", "p"), header("content-type", "application/json"), header("ce_time", "2026-11-21T10:00:00Z")),
		"structured":                        structured(envelope(argosRequest)),
		"structured, header as in HTTP":     upper,
		"structured, extensions":            structured(`{"traceparent":"x","data":` + argosRequest + `,"specversion":"1.0","subject":null,"id":"1","source":"/o","type":"faceauth.request.v1","x":{"a":[1,{"a":2}]}}`),
		"structured, data in base64":        structured(`{"specversion":"1.0","id":"1","source":"/o","type":"faceauth.request.v1","data":null,"data_base64":"` + base64.StdEncoding.EncodeToString([]byte(argosRequest)) + `"}`),
		"unknown fields":                    plain(`{"a":{"b":[{"c":"]}\""},-1.5e3,true,false,null,"\\"]},` + argosRequest[1:]),
		"null and empty are absent":         plain(`{"applicant_id":null,"selfie_bucket":"","user_id":"","not_after":null,"requested_at":"","campaign_id":"",` + argosRequest[1:]),
		"escapes in names and values":       plain(`{"request\u005fid":"r\u002d1","vendor":"argos","submission_id":"s1","selfie_key":"a\/b.jpg"}`),
		"blanks around the submission":      plain(strings.Replace(argosRequest, `"s1"`, `" s1\t\n"`, 1)),
		"the allowed bucket, when repeated": plain(strings.Replace(argosRequest, `{`, `{"selfie_version":null,`, 1)),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := event.Decode(rec, rules)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeReadsEveryField(t *testing.T) {
	got, err := event.Decode(plain(`{"request_id":"r-1","vendor":"argos","submission_id":"s1","selfie_key":"a/ü \"b\".jpg",
		"selfie_bucket":"selfies","selfie_version":"3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo","user_id":"\ud83d\ude00",
		"cf1":"1","cf2":"2","cf3":"3","redirect_url":"https://app.example:8443/done?a=%20b#c","campaign_id":"c:1",
		"not_after":"2026-11-22T01:00:00.5+01:00","requested_at":"2026-11-21T09:59:59Z"}`), rules)
	if err != nil {
		t.Fatal(err)
	}
	want := event.Request{
		RequestID: "r-1", Vendor: event.Argos, SubmissionID: "s1", SelfieKey: `a/ü "b".jpg`, SelfieBucket: "selfies",
		SelfieVersion: "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo", UserID: "😀", CF1: "1", CF2: "2", CF3: "3",
		RedirectURL: "https://app.example:8443/done?a=%20b#c", CampaignID: "c:1",
		NotAfter: time.Date(2026, 11, 22, 0, 0, 0, 5e8, time.UTC), RequestedAt: time.Date(2026, 11, 21, 9, 59, 59, 0, time.UTC),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeReadsTheReference(t *testing.T) {
	got, err := event.Decode(plain(`{"request_id":"r-1","vendor":"rekognition","submission_id":"customer-4711","selfie_key":"a.jpg",
		"reference_key":"portraits/ü.jpg","reference_bucket":"selfies","reference_version":"v1","requested_at":"2026-11-21T10:00:00Z"}`), rules)
	if err != nil {
		t.Fatal(err)
	}
	want := event.Request{
		RequestID: "r-1", Vendor: event.Rekognition, SubmissionID: "customer-4711", SelfieKey: "a.jpg", ReferenceKey: "portraits/ü.jpg",
		ReferenceBucket: "selfies", ReferenceVersion: "v1", RequestedAt: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeUsesTheDefaultVendor(t *testing.T) {
	withDefault := rules
	withDefault.DefaultVendor = event.Checkout
	got, err := event.Decode(plain(`{"request_id":"r-1","applicant_id":"aplt_1","redirect_url":"https://a.example"}`), withDefault)
	if err != nil {
		t.Fatal(err)
	}
	if got.Vendor != event.Checkout {
		t.Errorf("vendor %q", got.Vendor)
	}
}

// invalid decodes rec and returns why it was refused.
func invalid(t *testing.T, rec event.Record, rules event.Rules) *event.InvalidError {
	t.Helper()
	r, err := event.Decode(rec, rules)
	var e *event.InvalidError
	if !errors.As(err, &e) {
		t.Fatalf("error %v, request %+v; want an InvalidError", err, r)
	}
	if r != (event.Request{}) {
		t.Errorf("a refused record comes with a request")
	}
	return e
}

// found returns the faults of e as "field code", sorted.
func found(e *event.InvalidError) []string {
	var all []string
	for _, f := range e.Faults {
		all = append(all, strings.TrimSpace(f.Field+" "+string(f.Code)))
	}
	slices.Sort(all)
	return all
}

func TestDecodeIgnoresHundredsOfFields(t *testing.T) {
	if _, err := event.Decode(plain("{"+manyNames(300)+argosRequest[1:]), rules); err != nil {
		t.Error(err)
	}
}

func TestDecodeRefusesWithEveryFault(t *testing.T) {
	for _, c := range badRequests {
		t.Run(c.name, func(t *testing.T) {
			e := invalid(t, plain(c.value), rules)
			if diff := cmp.Diff(c.want, found(e)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			for _, f := range e.Faults {
				if !strings.Contains(e.Error(), f.String()) || f.Detail == "" {
					t.Errorf("%q does not say %q", e, f)
				}
			}
		})
	}
}

func TestDecodeRefusesWhatIsNotJSON(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		want  string
	}{
		"nothing":             {"", "empty"},
		"blanks":              {" \n", "empty"},
		"text":                {"hello", "malformed_json"},
		"cut off":             {argosRequest[:20], "malformed_json"},
		"byte order mark":     {"\ufeff" + argosRequest, "malformed_json"},
		"a second object":     {argosRequest + argosRequest, "trailing_data"},
		"a brace too many":    {argosRequest + "}", "trailing_data"},
		"another encoding":    {strings.Replace(argosRequest, "a/b", "a\xffb", 1), "not_utf8"},
		"one byte too large":  {argosRequest + strings.Repeat(" ", event.MaxRequestBytes+1-len(argosRequest)), "too_large"},
		"single quotes":       {"{'request_id':'r'}", "malformed_json"},
		"comma after the end": {`{"request_id":"r",}`, "malformed_json"},
	} {
		t.Run(name, func(t *testing.T) {
			e := invalid(t, plain(c.value), rules)
			if diff := cmp.Diff([]string{c.want}, found(e)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if e.Stage != event.StageDecode || e.RequestID != "" {
				t.Errorf("stage %q, request id %q", e.Stage, e.RequestID)
			}
		})
	}
}

func TestDecodeAcceptsTheLargestValue(t *testing.T) {
	if _, err := event.Decode(plain(argosRequest+strings.Repeat(" ", event.MaxRequestBytes-len(argosRequest))), rules); err != nil {
		t.Error(err)
	}
}

func TestDecodeRefusesEnvelopes(t *testing.T) {
	without := func(key string) event.Record {
		rec := binary(argosRequest)
		rec.Headers = slices.DeleteFunc(rec.Headers, func(h event.Header) bool { return h.Key == key })
		return rec
	}
	contentType := func(values ...string) event.Record {
		rec := plain(envelope(argosRequest))
		for _, v := range values {
			rec.Headers = append(rec.Headers, header("content-type", v))
		}
		return rec
	}
	for name, c := range map[string]struct {
		rec  event.Record
		want []string
	}{
		"batch":                                    {contentType("application/cloudevents-batch+json"), []string{"content-type batch_mode"}},
		"avro":                                     {contentType("application/cloudevents+avro"), []string{"content-type unsupported_format"}},
		"two content types":                        {contentType("application/json", "application/cloudevents+json"), []string{"content-type duplicate_key"}},
		"binary without id":                        {without("ce_id"), []string{"ce_id missing"}},
		"binary without type":                      {without("ce_type"), []string{"ce_type missing"}},
		"binary without version":                   {without("ce_specversion"), []string{"ce_specversion missing"}},
		"binary, older version":                    {binary(argosRequest, header("ce_specversion", "0.3")), []string{"ce_specversion duplicate_key"}},
		"binary, type twice":                       {binary(argosRequest, header("ce_type", "x")), []string{"ce_type duplicate_key"}},
		"binary, type in capitals":                 {binary(argosRequest, header("CE_Type", "x")), []string{"ce_type case_variant_key"}},
		"structured, not an object":                {structured(`[]`), []string{"not_an_object"}},
		"structured, nothing":                      {structured(`{}`), []string{"ce_data missing", "ce_id missing", "ce_source missing", "ce_specversion missing", "ce_type missing"}},
		"structured, older version":                {structured(strings.Replace(envelope(argosRequest), "1.0", "0.3", 1)), []string{"ce_specversion wrong_spec_version"}},
		"structured, another type":                 {structured(strings.Replace(envelope(`{}`), "request.v1", "request.v2", 1)), []string{"ce_type wrong_event_type"}},
		"structured, no data":                      {structured(strings.Replace(envelope("null"), "{", "{ ", 1)), []string{"ce_data missing"}},
		"structured, text as data":                 {structured(envelope(`"{}"`)), []string{"ce_data not_an_object"}},
		"structured, data twice":                   {structured(strings.Replace(envelope(argosRequest), "{", `{"data":`+argosRequest+`,`, 1)), []string{"ce_data duplicate_key"}},
		"structured, Data and data":                {structured(strings.Replace(envelope(argosRequest), "{", `{"Data":{},`, 1)), []string{"ce_data case_variant_key"}},
		"structured, two kinds of data":            {structured(strings.Replace(envelope(argosRequest), "{", `{"data_base64":"e30=",`, 1)), []string{"ce_data_base64 duplicate_key"}},
		"structured, not base64":                   {structured(`{"specversion":"1.0","id":"1","source":"/o","type":"faceauth.request.v1","data_base64":"{}"}`), []string{"ce_data_base64 bad_format"}},
		"structured, no text":                      {structured(strings.Replace(envelope(argosRequest), `"id":"1"`, `"id":1`, 1)), []string{"ce_id wrong_type"}},
		"structured, a name twice in the data":     {structured(envelope(strings.Replace(argosRequest, "{", `{"submission_id":"s2",`, 1))), []string{"submission_id duplicate_key"}},
		"structured, a case variant in the data":   {structured(envelope(strings.Replace(argosRequest, "{", `{"SUBMISSION_ID":"s2",`, 1))), []string{"submission_id case_variant_key"}},
		"structured, faults in envelope and data":  {structured(strings.Replace(envelope(`{"request_id":"r"}`), `"id":"1",`, "", 1)), []string{"ce_id missing", "submission_id missing", "vendor missing"}},
		"structured, a name twice in an extension": {structured(strings.Replace(envelope(argosRequest), "{", `{"x":{"a":1,"a":1},`, 1)), []string{"duplicate_key"}},
		"structured, a name twice in base64":       {structured(`{"specversion":"1.0","id":"1","source":"/o","type":"faceauth.request.v1","data_base64":"` + base64.StdEncoding.EncodeToString([]byte(`{"a":1,"a":2,`+argosRequest[1:])) + `"}`), []string{"duplicate_key"}},
		"binary, faults in envelope and data":      {func() event.Record { r := without("ce_id"); r.Value = []byte(`{"request_id":"r"}`); return r }(), []string{"ce_id missing", "submission_id missing", "vendor missing"}},
		"binary, another type hides the data": {func() event.Record {
			r := without("ce_type")
			r.Headers = append(r.Headers, header("ce_type", "x"))
			return r
		}(), []string{"ce_type wrong_event_type"}},
		"binary, an empty value is no tombstone":    {binary(""), []string{"empty"}},
		"structured, an empty value is nothing too": {structured(""), []string{"empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, found(invalid(t, c.rec, rules))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusalNamesRequestOnlyWhenThereIsNoDoubt(t *testing.T) {
	const rest = `"vendor":"argos","campaign_id":"c-1"`
	for name, c := range map[string]struct {
		rec      event.Record
		id       string
		campaign string
		vendor   event.Vendor
		stage    event.Stage
	}{
		"another field is bad":           {plain(`{"request_id":"r-1",` + rest + `}`), "r-1", "c-1", event.Argos, event.StageValidate},
		"another name is there twice":    {plain(`{"request_id":"r-1","cf1":"","cf1":"",` + rest + `}`), "r-1", "c-1", event.Argos, event.StageDecode},
		"it is there twice":              {plain(`{"request_id":"r-1","request_id":"r-1",` + rest + `}`), "", "c-1", event.Argos, event.StageDecode},
		"it has a case variant":          {plain(`{"request_id":"r-1","REQUEST_ID":"r-1",` + rest + `}`), "", "c-1", event.Argos, event.StageDecode},
		"it is malformed":                {plain(`{"request_id":"r 1",` + rest + `}`), "", "c-1", event.Argos, event.StageValidate},
		"the campaign is malformed":      {plain(`{"request_id":"r-1","vendor":"argos","campaign_id":"a b"}`), "r-1", "", event.Argos, event.StageValidate},
		"the vendor is unknown":          {plain(`{"request_id":"r-1","vendor":"x"}`), "r-1", "", "", event.StageValidate},
		"the event is somebody else's":   {structured(strings.Replace(envelope(`{"request_id":"r-1"}`), "request.v1", "other.v1", 1)), "", "", "", event.StageValidate},
		"the event's kind is not stated": {structured(`{"data":{"request_id":"r-1"}}`), "", "", "", event.StageValidate},
	} {
		t.Run(name, func(t *testing.T) {
			e := invalid(t, c.rec, rules)
			if e.RequestID != c.id || e.CampaignID != c.campaign || e.Vendor != c.vendor || e.Stage != c.stage {
				t.Errorf("request %q, campaign %q, vendor %q, stage %q; want %q, %q, %q, %q",
					e.RequestID, e.CampaignID, e.Vendor, e.Stage, c.id, c.campaign, c.vendor, c.stage)
			}
		})
	}
}

func TestDecodeRefusesVendorsThatAreNotEnabled(t *testing.T) {
	e := invalid(t, plain(argosRequest), event.Rules{Vendors: []event.Vendor{event.Faceki}})
	if diff := cmp.Diff([]string{"vendor vendor_disabled"}, found(e)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if e.Vendor != "" {
		t.Errorf("vendor %q, which has a fault", e.Vendor)
	}
}

func TestDecodeAllowsNoBucketByDefault(t *testing.T) {
	e := invalid(t, plain(strings.Replace(argosRequest, "{", `{"selfie_bucket":"selfies",`, 1)), event.Rules{Vendors: event.Vendors()})
	if diff := cmp.Diff([]string{"selfie_bucket bucket_not_allowed"}, found(e)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestRefusalEchoesNothing(t *testing.T) {
	const secret = "Zoë-Quux-4711"
	fields := []string{"request_id", "vendor", "submission_id", "applicant_id", "selfie_key", "selfie_bucket", "selfie_version",
		"user_id", "cf1", "cf2", "cf3", "redirect_url", "campaign_id", "not_after", "requested_at", secret}
	for _, field := range fields {
		for _, value := range []string{
			fmt.Sprintf("%q", secret),
			fmt.Sprintf("%q", strings.Repeat(secret, 300)),
			fmt.Sprintf("{%q:1,%q:2}", secret, secret),
			fmt.Sprintf(`%q,%q:"%s/../x"`, secret, field, secret),
			secret,
		} {
			for _, rec := range []event.Record{
				plain(fmt.Sprintf("{%q:%s}", field, value)),
				structured(envelope(fmt.Sprintf("{%q:%s}", field, value))),
				structured(fmt.Sprintf("{%q:%s}", field, value)),
				binary("{}", header("ce_type", value), header("CE_ID", value), header("content-type", value)),
			} {
				e := invalid(t, rec, rules)
				if text := fmt.Sprintf("%v %+v", e, e.Faults); strings.Contains(text, "Quux") || strings.Contains(text, "4711") {
					t.Errorf("%s: %s", rec.Value, text)
				}
			}
		}
	}
}

func TestThousandsOfFaultsMakeAShortList(t *testing.T) {
	var b strings.Builder
	for b.Len() < event.MaxRequestBytes-100 {
		b.WriteString(`"x":{"y":1,"y":1},"VENDOR":1,`)
	}
	e := invalid(t, plain(`{`+b.String()+`"z":1}`), rules)
	if len(e.Faults) > 10 {
		t.Errorf("%d faults", len(e.Faults))
	}
}
