package event_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"reauth/internal/event"
)

// anyBytes draws what a record may hold; nil and empty differ in Kafka.
var anyBytes = rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 20))

// anyRecord draws an original, at times with headers that look like ours.
var anyRecord = rapid.Custom(func(t *rapid.T) event.Record {
	key := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"__dlq.errors.topic", "__dlq.errors.partition", "__dlq.errors.offset", "__dlq.errors.message",
		"reauth-error-class", "reauth-error-stage", "reauth-failed-at", "reauth-redrive", "ce_type",
	}))
	value := rapid.OneOf(anyBytes, rapid.SampledFrom([][]byte{[]byte("7"), []byte("faceauth.requests")}))
	rec := event.Record{
		Topic:     rapid.StringMatching(`[a-z.]{1,20}`).Draw(t, "topic"),
		Partition: rapid.IntRange(0, 100).Draw(t, "partition"),
		Offset:    rapid.Int64Min(0).Draw(t, "offset"),
		Key:       anyBytes.Draw(t, "key"),
		Value:     anyBytes.Draw(t, "value"),
		Time:      anyInstant.Draw(t, "time"),
	}
	for range rapid.IntRange(0, 6).Draw(t, "headers") {
		rec.Headers = append(rec.Headers, event.Header{Key: key.Draw(t, "header"), Value: value.Draw(t, "header value")})
	}
	return rec
})

var anyInstant = rapid.Custom(func(t *rapid.T) time.Time {
	return time.UnixMilli(rapid.Int64Range(0, 32503679999999).Draw(t, "ms")).UTC()
})

var anyDeadLetter = rapid.Custom(func(t *rapid.T) event.DeadLetter {
	text := rapid.StringN(0, 100, 1<<10)
	return event.DeadLetter{
		Class:         text.Draw(t, "class"),
		Stage:         event.Stage(text.Draw(t, "stage")),
		Reason:        event.Reason(text.Draw(t, "reason")),
		Message:       text.Draw(t, "message"),
		Group:         text.Draw(t, "group"),
		DeliveryCount: rapid.IntRange(0, 1000).Draw(t, "count"),
		FirstSeen:     anyInstant.Draw(t, "first seen"),
		FailedAt:      anyInstant.Draw(t, "failed at"),
		RequestID:     rapid.StringMatching(`([A-Za-z0-9._:-]{1,128})?`).Draw(t, "request id"),
		Vendor:        rapid.SampledFrom(append(event.Vendors(), "")).Draw(t, "vendor"),
		CampaignID:    rapid.StringMatching(`([A-Za-z0-9._:-]{1,128})?`).Draw(t, "campaign id"),
	}
})

func TestDeadLetterGivesTheOriginalBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		original, want := anyRecord.Draw(t, "original"), anyDeadLetter.Draw(t, "dead letter")
		dead := want.Record("dead", original)
		if dead.Topic != "dead" || dead.Partition != original.Partition {
			t.Errorf("written to %s/%d, the original's shard is %d", dead.Topic, dead.Partition, original.Partition)
		}
		if diff := cmp.Diff(original.Headers, dead.Headers[:len(original.Headers)], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("headers of the original, first (-want +got):\n%s", diff)
		}
		got, origin, back, err := event.ParseDeadLetter(dead)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dead letter (-want +got):\n%s", diff)
		}
		// Headers that look like an origin win over the position.
		original.Topic, original.Partition, original.Offset = origin.Topic, origin.Partition, origin.Offset
		empty := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Headers" }, cmpopts.EquateEmpty())
		if diff := cmp.Diff(original, back, empty); diff != "" {
			t.Errorf("original (-want +got):\n%s", diff)
		}
	})
}

// second dead-letters a record, sends it back, and dead-letters it again at
// another offset.
func second(t *testing.T) (first, back, again event.Record) {
	t.Helper()
	first = sampleDeadLetter.Record(event.TopicDead, plain(argosRequest))
	back, err := event.Redrive(first, event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	back.Offset, back.Time = 99999, received.Add(time.Hour)
	d := sampleDeadLetter
	d.Message = "again"
	return first, back, d.Record(event.TopicDead, back)
}

func TestFirstOriginWins(t *testing.T) {
	_, _, again := second(t)
	d, origin, _, err := event.ParseDeadLetter(again)
	if err != nil {
		t.Fatal(err)
	}
	want := event.Source{Topic: event.TopicRequests, Partition: 3, Offset: 1207}
	if origin != want || d.Message != "again" {
		t.Errorf("origin %+v, message %q; want %+v and the later message", origin, d.Message, want)
	}
	for _, key := range []string{"__dlq.errors.topic", "__dlq.errors.partition", "__dlq.errors.offset"} {
		if n := count(again, key); n != 1 {
			t.Errorf("%s is there %d times", key, n)
		}
	}
}

// count returns how often rec has the header key.
func count(rec event.Record, key string) (n int) {
	for _, h := range rec.Headers {
		if h.Key == key {
			n++
		}
	}
	return n
}

func TestRedriveSendsTheOriginalBack(t *testing.T) {
	first, back, again := second(t)
	if back.Topic != event.TopicRequests || back.Partition != 3 || string(back.Value) != argosRequest {
		t.Errorf("sent to %s/%d: %s", back.Topic, back.Partition, back.Value)
	}
	if _, err := event.Decode(back, rules); err != nil {
		t.Error(err)
	}
	twice, err := event.Redrive(again, event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(twice, event.HeaderRedrive); n != 1 || len(twice.Headers) != len(back.Headers) {
		t.Errorf("%d redrive headers and %d headers in all; want 1 and %d", n, len(twice.Headers), len(back.Headers))
	}
	if event.Redrives(first) != 0 || event.Redrives(back) != 1 || event.Redrives(again) != 1 || event.Redrives(twice) != 2 {
		t.Errorf("sent back %d, %d, %d and %d times; want 0, 1, 1 and 2", event.Redrives(first), event.Redrives(back),
			event.Redrives(again), event.Redrives(twice))
	}
	want := event.Source{Topic: event.TopicRequests, Partition: 3, Offset: 1207}
	if origin, ok := event.Redriven(twice); !ok || origin != want {
		t.Errorf("first read at %+v, %t; want %+v", origin, ok, want)
	}
	if _, ok := event.Redriven(first); ok {
		t.Error("a dead letter counts as sent back")
	}
	if !twice.Time.IsZero() {
		t.Errorf("the record keeps the time %v", twice.Time)
	}
}

func TestRedriveLeadsToNoOtherTopic(t *testing.T) {
	forged := plain(argosRequest)
	forged.Headers = []event.Header{
		header("__dlq.errors.topic", event.TopicResults), header("__dlq.errors.partition", "0"), header("__dlq.errors.offset", "0"),
	}
	rec, err := event.Redrive(sampleDeadLetter.Record(event.TopicDead, forged), event.TopicRequests, event.TopicPriority)
	if err == nil {
		t.Errorf("sent to %s", rec.Topic)
	}
}

func TestDeadLetterKeepsOneKiBOfWholeCharacters(t *testing.T) {
	for _, message := range []string{strings.Repeat("é", 600), "x" + strings.Repeat("😀", 300), strings.Repeat("a\xff", 2000)} {
		d := sampleDeadLetter
		d.Message = message
		got, _ := d.Record(event.TopicDead, plain("")).Header("__dlq.errors.message")
		if len(got) > 1024 || len(got) < 1021 || !utf8.ValidString(got) {
			t.Errorf("%d bytes, valid %t", len(got), utf8.ValidString(got))
		}
	}
}

func TestDeadLetterLeavesMalformedIDsOut(t *testing.T) {
	d := sampleDeadLetter
	d.RequestID, d.CampaignID, d.Vendor = "Zoë Quux", "a b", "somebody"
	dead := d.Record(event.TopicDead, plain(""))
	for _, h := range dead.Headers {
		switch h.Key {
		case "reauth-request-id", "reauth-campaign-id", "reauth-vendor":
			t.Errorf("%s: %s", h.Key, h.Value)
		}
	}
}

func TestDeadLetterDoesNotChangeTheOriginal(t *testing.T) {
	original := plain(argosRequest)
	original.Headers = make([]event.Header, 1, 10)
	original.Headers[0] = header("a", "b")
	sampleDeadLetter.Record(event.TopicDead, original)
	if spare := original.Headers[:2][1]; spare.Key != "" {
		t.Errorf("the original's array now holds %s", spare.Key)
	}
}

func TestParseDeadLetterRefusesOthers(t *testing.T) {
	dead := sampleDeadLetter.Record(event.TopicDead, plain(argosRequest))
	change := func(key, value string) event.Record {
		rec := dead
		rec.Headers = nil
		for _, h := range dead.Headers {
			if h.Key == key {
				h.Value = []byte(value)
			}
			rec.Headers = append(rec.Headers, h)
		}
		return rec
	}
	for name, c := range map[string]struct {
		rec    event.Record
		notOne bool
	}{
		"a request":           {plain(argosRequest), true},
		"a foreign one":       {event.Record{Headers: dead.Headers[1:]}, true},
		"no origin":           {event.Record{Headers: dead.Headers[:1]}, true},
		"a bad offset":        {change("__dlq.errors.offset", "-1"), true},
		"a bad partition":     {change("__dlq.errors.partition", "4294967296"), true},
		"a bad count":         {change("__dlq.errors.delivery.count", "many"), false},
		"a bad time":          {change("reauth-failed-at", "yesterday"), false},
		"a bad original time": {change("reauth-original-time", "1"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, _, err := event.ParseDeadLetter(c.rec); err == nil || errors.Is(err, event.ErrNotDeadLetter) != c.notOne {
				t.Errorf("error %v", err)
			}
		})
	}
}
