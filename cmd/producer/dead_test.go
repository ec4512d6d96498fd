package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/stream"
)

// failedAt is when the first of the sample's dead letters failed.
var failedAt = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// original is the record of a request that is to become a dead letter.
func originalOf(t *testing.T, id string, partition int, offset int64) event.Record {
	t.Helper()
	rec, err := event.Request{RequestID: id, Vendor: event.Argos, SubmissionID: "s-" + id, SelfieKey: "selfies/zoe.jpg",
		UserID: "zoe@example.org", CampaignID: "autumn", RequestedAt: failedAt.Add(-time.Hour)}.Record(event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	rec.Partition, rec.Offset = partition, offset
	return rec
}

// exhausted is the dead letter of a request that was given up.
func exhausted(id string, after time.Duration) event.DeadLetter {
	return event.DeadLetter{Class: "transient", Stage: event.StageVendor, Reason: event.AttemptsExhausted, Message: "argos: 503",
		Group: "faceauth", DeliveryCount: 8, FirstSeen: failedAt.Add(-time.Hour), FailedAt: failedAt.Add(after),
		RequestID: id, Vendor: event.Argos, CampaignID: "autumn"}
}

// sampleDead are dead letters of several kinds, an hour apart each.
func sampleDead(t *testing.T) []event.Record {
	forbidden := exhausted("r2", time.Hour)
	forbidden.Class, forbidden.Stage, forbidden.Reason = "selfie", event.StageSelfie, event.SelfieForbidden
	forbidden.Message = "fetching selfie: AccessDenied: " + strings.Repeat("the bucket's owner says no; ", 10)
	held := exhausted("r3", 2*time.Hour)
	held.Reason, held.Vendor, held.CampaignID = event.UnknownOutcome, event.Checkout, "winter"
	broken := event.DeadLetter{Class: "invalid", Stage: event.StageDecode, Reason: "not_utf8", Group: "faceauth", DeliveryCount: 1,
		Message: "request refused (decode): not_utf8 (send UTF-8)", FailedAt: failedAt.Add(3 * time.Hour)}
	prior := originalOf(t, "r4", 2, 7)
	prior.Topic = event.TopicPriority
	return []event.Record{
		exhausted("r1", 0).Record(event.TopicDead, originalOf(t, "r1", 0, 41)),
		forbidden.Record(event.TopicDead, originalOf(t, "r2", 0, 42)),
		held.Record(event.TopicDead, originalOf(t, "r3", 1, 9)),
		broken.Record(event.TopicDead, event.Record{Topic: event.TopicRequests, Partition: 1, Offset: 10, Key: []byte("\xff"),
			Value: []byte("\xfe\x00zoe"), Headers: []event.Header{{Key: "x-tenant", Value: []byte("acme")}}}),
		exhausted("r4", 4*time.Hour).Record(event.TopicDead, prior),
	}
}

// lines decodes ndjson.
func (r ran) lines(t *testing.T) []deadLine {
	t.Helper()
	var all []deadLine
	for text := range strings.Lines(r.out) {
		var line deadLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		all = append(all, line)
	}
	return all
}

func TestDeadLettersAreListedWithTheirTotals(t *testing.T) {
	b := newBench(t)
	empty := b.run("dead", "list")
	empty.want(t, 0)
	if want := "reason  dead letters\ntotal   0\n"; empty.out != want {
		t.Errorf("without dead letters:\n%s", empty.out)
	}
	b.write(sampleDead(t)...)
	r := b.run("dead", "list")
	r.want(t, 0)
	golden(t, "deadlist.txt", r.out)

	r = b.run("dead", "list", "--limit", "2")
	r.want(t, 0)
	if !strings.Contains(r.out, "and 3 more") || !strings.Contains(r.out, "total               5\n") || strings.Contains(r.out, "r3") {
		t.Errorf("limited:\n%s", r.out)
	}
	if n := len(b.run("dead", "list", "--limit", "2", "--output", "ndjson").lines(t)); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}

func TestFiltersChooseDeadLetters(t *testing.T) {
	b := newBench(t)
	b.write(sampleDead(t)...)
	for _, c := range []struct {
		args string
		want []string
	}{
		{"", []string{"", "r1", "r2", "r3", "r4"}},
		{"--reason attempts_exhausted", []string{"r1", "r4"}},
		{"--reason attempts_exhausted,unknown_outcome", []string{"r1", "r3", "r4"}},
		{"--class selfie", []string{"r2"}},
		{"--stage decode --stage selfie", []string{"", "r2"}},
		{"--vendor checkout", []string{"r3"}},
		{"--campaign autumn", []string{"r1", "r2", "r4"}},
		{"--campaign autumn --reason unknown_outcome", nil},
		{"--request r1 --request r2", []string{"r1", "r2"}},
		{"--since 2026-11-20T10:00:00Z", []string{"", "r3", "r4"}},
		{"--until 2026-11-20T10:00:00Z", []string{"r1", "r2"}},
		{"--since 2026-11-20T09:00:00Z --until 2026-11-20T11:00:00Z", []string{"r2", "r3"}},
	} {
		r := b.run(append([]string{"dead", "list", "--output", "ndjson"}, strings.Fields(c.args)...)...)
		r.want(t, 0)
		var got []string
		for _, line := range r.lines(t) {
			got = append(got, line.RequestID)
		}
		slices.Sort(got)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.args, diff)
		}
	}
}

func TestOriginalsAreShownOnlyWhenAskedFor(t *testing.T) {
	b := newBench(t)
	b.write(sampleDead(t)...)
	for _, form := range []string{outputTable, outputNDJSON} {
		r := b.run("dead", "list", "--output", form)
		for _, personal := range []string{"zoe", "acme", "selfies/"} {
			if strings.Contains(r.out, personal) {
				t.Errorf("%s shows %q:\n%s", form, personal, r.out)
			}
		}
	}
	r := b.run("dead", "list", "--output", "ndjson", "--with-value", "--reason", "not_utf8,attempts_exhausted")
	r.want(t, 0, "may be personal")
	golden(t, "deadlist.ndjson", r.out)
}

func TestRecordsThatAreNoDeadLettersArePassedOver(t *testing.T) {
	b := newBench(t)
	b.write(event.Record{Topic: event.TopicDead, Partition: 1, Value: []byte("{}")},
		event.Record{Topic: event.TopicDead, Partition: 1, Headers: []event.Header{{Key: "reauth-error-class", Value: []byte("x")}}})
	b.write(sampleDead(t)...)
	r := b.run("dead", "list", "--output", "ndjson")
	r.want(t, 0, "2 records of faceauth.dead passed over", "faceauth.dead/1/0")
	if n := len(r.lines(t)); n != 5 {
		t.Errorf("%d dead letters, want 5", n)
	}
}

// Headers may come from upstream, and a table goes to a terminal.
func TestTextFromHeadersCannotMoveTheCursor(t *testing.T) {
	b := newBench(t)
	d := exhausted("r1", 0)
	d.Class, d.Message = "a\x1b[2Jb", "c\td\r\ne\u009bf"
	b.write(d.Record(event.TopicDead, originalOf(t, "r1", 0, 1)))
	r := b.run("dead", "list")
	if strings.ContainsAny(r.out, "\x1b\t\r\u009b") {
		t.Errorf("the table holds control characters: %q", r.out)
	}
}

func TestWrongFlagsForDeadLettersAreReportedTogether(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		args string
		want []string
	}{
		{"list --stage late --vendor acme --since soon --until later --campaign a/b --request a/b --limit -1 --output json",
			[]string{"--stage", "--vendor", "--since", "--until", `campaign "a/b"`, `request "a/b"`, "--limit", "--output"}},
		{"list --with-value", []string{"--with-value"}},
		{"list --since 1h --until 2h", []string{"not before"}},
		{"redrive --yes", []string{"--all"}},
		{"redrive --all --campaign c --rate fast --max-redrives 0 --output ndjson", []string{"--all", "--rate", "--max-redrives", "--output"}},
	} {
		b.run(append([]string{"dead"}, strings.Fields(c.args)...)...).want(t, exitFailed, c.want...)
	}
}

// elsewhere is a partition that the key would not lead to.
func elsewhere(key string) int { return (stream.PartitionOf([]byte(key), shards) + 1) % shards }
