package event_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"reauth/internal/event"
)

func TestEncodeRefusesWhatWouldChangeOnTheWay(t *testing.T) {
	for name, r := range map[string]event.Request{
		"not UTF-8":              {RequestID: "r-1", SelfieKey: "a\xff"},
		"larger than accepted":   {RequestID: "r-1", UserID: strings.Repeat("u", event.MaxRequestBytes)},
		"a time JSON cannot say": {RequestID: "r-1", NotAfter: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			if text, err := r.Encode(); err == nil {
				t.Errorf("encoded %d bytes", len(text))
			}
		})
	}
}

func TestEncodeDependsOnNoTimeZone(t *testing.T) {
	east := sampleRequest
	east.NotAfter = east.NotAfter.In(time.FixedZone("", 3600))
	east.RequestedAt = east.RequestedAt.In(time.FixedZone("", -3600))
	want, err := sampleRequest.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := east.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestEventIDsAreTheirOwnAndTheSameEachTime(t *testing.T) {
	ids := map[string]string{}
	for name, id := range map[string]string{
		"result 1": event.ResultID("r-1", 1), "result 2": event.ResultID("r-1", 2), "another": event.ResultID("r-2", 1),
		"1 of r-11": event.ResultID("r-11", 1), "11 of r-1": event.ResultID("r-1", 11), "pending": event.PendingID("r-1", 1),
	} {
		if other, ok := ids[id]; ok {
			t.Errorf("%s and %s are both %s", name, other, id)
		}
		ids[id] = name
		if u, err := uuid.Parse(id); err != nil || u.Version() != 5 {
			t.Errorf("%s: %s is not a UUID of version 5", name, id)
		}
	}
	if first, again := event.ResultID("r-1", 1), event.ResultID("r-1", 1); first != again {
		t.Error("a repeat has another id")
	}
}

func TestRecordsOfUnfinishedEventsAreRefused(t *testing.T) {
	result := func(change func(*event.Result)) error {
		r := sampleResult(event.Approved)
		change(&r)
		_, err := r.Record(event.TopicResults, "/reauth/consumer")
		return err
	}
	pending := func(change func(*event.Pending)) error {
		p := samplePending
		change(&p)
		_, err := p.Record(event.TopicResults, "/reauth/consumer")
		return err
	}
	_, withoutSource := sampleResult(event.Approved).Record(event.TopicResults, "")
	_, badRequest := event.Request{RequestID: "a b"}.Record(event.TopicRequests)
	for name, err := range map[string]error{
		"no request id":               result(func(r *event.Result) { r.RequestID = "" }),
		"no revision":                 result(func(r *event.Result) { r.Revision = 0 }),
		"no time":                     result(func(r *event.Result) { r.CompletedAt = time.Time{} }),
		"a score that is not one":     result(func(r *event.Result) { r.Scores = map[string]float64{"similarity": math.NaN()} }),
		"no source":                   withoutSource,
		"a request id with a blank":   badRequest,
		"pending, no request id":      pending(func(p *event.Pending) { p.RequestID = "" }),
		"pending, no attempt":         pending(func(p *event.Pending) { p.Attempt = 0 }),
		"pending, no end":             pending(func(p *event.Pending) { p.ExpiresAt = time.Time{} }),
		"pending, no time of its own": pending(func(p *event.Pending) { p.AnnouncedAt = time.Time{} }),
	} {
		if err == nil {
			t.Errorf("%s: made a record", name)
		}
	}
}

func TestResultWithoutLivenessSaysNone(t *testing.T) {
	r := sampleResult(event.Failed)
	r.Liveness = ""
	rec, err := r.Record(event.TopicResults, "/reauth/consumer")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := event.DecodeResult(rec); err != nil || got.Liveness != event.LivenessNone {
		t.Errorf("liveness %q, %v", got.Liveness, err)
	}
}

func TestDecodeResultIgnoresWhatIsNew(t *testing.T) {
	rec, err := sampleResult(event.Rejected).Record(event.TopicResults, "/reauth/consumer")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(rec.Value), "{", `{"brand_new":{"currency":"EUR"},`, 1)
	text = strings.Replace(text, "similarity_below_threshold", "brand_new", 1)
	rec.Value = []byte(text)
	got, err := event.DecodeResult(rec)
	if err != nil {
		t.Fatal(err)
	}
	want := sampleResult(event.Rejected)
	want.Reasons = []event.Reason{"brand_new"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeResultRefusesDoubt(t *testing.T) {
	rec, err := sampleResult(event.Rejected).Record(event.TopicResults, "/reauth/consumer")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]string{
		"outcome twice":           {"{", `{"outcome":"approved",`},
		"outcome in capitals too": {"{", `{"OUTCOME":"approved",`},
		"no outcome":              {`"outcome":"rejected"`, `"outcome":""`},
		"no request id":           {`"request_id":"camp-7:000001"`, `"request_id":"Zoë Quux"`},
		"revision 0":              {`"revision":1`, `"revision":0`},
		"a number as user":        {`"user_id":"u-1"`, `"user_id":4711`},
		"half a call":             {`"calls":1`, `"calls":4711.5`},
		"a bad time":              {`"completed_at":"2026`, `"completed_at":"4711 2026`},
		"cut off":                 {`}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			bad := rec
			bad.Value = []byte(strings.Replace(string(rec.Value), c[0], c[1], 1))
			got, err := event.DecodeResult(bad)
			if err == nil {
				t.Fatalf("decoded %+v", got)
			}
			if strings.Contains(err.Error(), "4711") || strings.Contains(err.Error(), "Quux") {
				t.Errorf("the error echoes a value: %v", err)
			}
		})
	}
}

func TestEventsAreToldApart(t *testing.T) {
	result, err := sampleResult(event.Approved).Record(event.TopicResults, "/reauth/consumer")
	if err != nil {
		t.Fatal(err)
	}
	pending, err := samplePending.Record(event.TopicResults, "/reauth/consumer")
	if err != nil {
		t.Fatal(err)
	}
	if event.TypeOf(result) != event.TypeResult || event.TypeOf(pending) != event.TypePending || event.TypeOf(plain("{}")) != "" {
		t.Errorf("types %q, %q, %q", event.TypeOf(result), event.TypeOf(pending), event.TypeOf(plain("{}")))
	}
	if _, err := event.DecodeResult(pending); !errors.Is(err, event.ErrOtherType) {
		t.Errorf("decoding a pending event as a result: %v", err)
	}
	if _, err := event.DecodePending(result); !errors.Is(err, event.ErrOtherType) {
		t.Errorf("decoding a result as a pending event: %v", err)
	}
	_, err = event.Decode(result, rules)
	var e *event.InvalidError
	if !errors.As(err, &e) || e.Faults[0].Code != event.WrongEventType {
		t.Errorf("decoding a result as a request: %v", err)
	}
}

func TestDecodePendingNeedsSomethingToOpen(t *testing.T) {
	rec, err := samplePending.Record(event.TopicResults, "/reauth/consumer")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"request_id", "verification_url", "expires_at"} {
		bad := rec
		bad.Value = []byte(strings.Replace(string(rec.Value), `"`+name+`"`, `"other"`, 1))
		if _, err := event.DecodePending(bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
