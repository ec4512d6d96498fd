package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/stream"
)

// story writes the records of a request that failed, was sent back and is
// approved, with one record of each bad kind and other requests in between.
func story(t *testing.T, b *bench, partition int) {
	t.Helper()
	at := func(s int) time.Time { return failedAt.Add(time.Duration(s) * time.Second) }
	ptr := func(t time.Time) *time.Time { return &t }
	write := func(rec event.Record, s int) event.Record {
		rec.Partition, rec.Time = partition, at(s)
		b.write(rec)
		return rec
	}
	step := func(s int, r ledger.Record) {
		write(event.Record{Topic: event.TopicLedger, Key: []byte("r1"), Value: r.Encode()}, s)
	}
	result := func(s int, r event.Result) {
		r.RequestID, r.Vendor, r.UserID, r.Final, r.CompletedAt = "r1", event.Argos, "zoe@example.org", true, at(s)
		rec, err := r.Record(event.TopicResults, "/test")
		if err != nil {
			t.Fatal(err)
		}
		write(rec, s)
	}
	request := originalOf(t, "r1", partition, 0)
	request.Key = []byte("zoe-key")
	write(request, 0)
	write(originalOf(t, "r2", partition, 1), 0)
	source := ledger.Source{Topic: event.TopicRequests}

	step(1, ledger.Record{Step: ledger.Claimed, Claim: 1, Source: source, Owner: "pod-a", Until: ptr(at(41)), Called: ptr(at(1))})
	step(2, ledger.Record{Step: ledger.Parked, Claim: 1, Source: source, Due: ptr(at(60)), Why: "retry", Attempts: 1, Calls: 1,
		Original: &ledger.Original{Key: request.Key, Value: string(request.Value), Headers: request.Headers, Time: request.Time}})
	write(event.Record{Topic: event.TopicLedger, Key: []byte("r1"), Value: []byte(`{"step":"charged","zoe":1}`)}, 3)
	write(event.Record{Topic: event.TopicLedger, Key: []byte("r2"), Value: []byte(`{"step":"charged"}`)}, 3)
	write(event.Record{Topic: event.TopicResults, Key: []byte("r1"), Value: []byte("{}"),
		Headers: []event.Header{{Key: "ce_type", Value: []byte(event.TypeResult)}}}, 4)

	// The answer reaches the ledger after the time that the result has.
	step(61, ledger.Record{Step: ledger.Answered, Claim: 1, Answer: &ledger.Answer{Outcome: event.Failed,
		Reasons: []event.Reason{event.AttemptsExhausted}, CompletedAt: at(60), Attempts: 2, Calls: 2}})
	d := exhausted("r1", time.Minute)
	dead := d.Record(event.TopicDead, request)
	write(dead, 60)
	result(60, event.Result{Outcome: event.Failed, Reasons: []event.Reason{event.AttemptsExhausted}, Revision: 1})

	back, err := event.Redrive(dead, event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	write(back, 100)
	step(101, ledger.Record{Step: ledger.Claimed, Claim: 1, Source: source, Owner: "pod-b", Until: ptr(at(141)), Supersede: true})
	pending, err := event.Pending{RequestID: "r1", Vendor: event.Checkout, Attempt: 1, VerificationURL: "https://vendor.example/secret",
		ExpiresAt: at(900), AnnouncedAt: at(102)}.Record(event.TopicResults, "/test")
	if err != nil {
		t.Fatal(err)
	}
	write(pending, 102)
	step(103, ledger.Record{Step: ledger.Answered, Claim: 1, Answer: &ledger.Answer{Outcome: event.Approved, CompletedAt: at(103), Calls: 1}})
	result(103, event.Result{Outcome: event.Approved, Revision: 2})

	invalid := event.Record{Topic: event.TopicPriority, Value: []byte(`{"request_id":"r1","vendor":"argos"}`)}
	write(invalid, 200)
	write(event.Record{Topic: event.TopicDead, Key: []byte("r1"), Value: []byte("zoe")}, 201)
}

func TestTheHistoryOfARequestIsInTheOrderOfTime(t *testing.T) {
	b := newBench(t)
	story(t, b, stream.PartitionOf([]byte("r1"), shards))
	r := b.run("show", "r1")
	r.want(t, 0, "searched partition 1 of 3 of faceauth.requests, faceauth.requests.priority, faceauth.results, faceauth.ledger, faceauth.dead")
	golden(t, "show.txt", r.out)

	r = b.run("show", "--output", "json", "r1")
	r.want(t, 0)
	golden(t, "show.json", r.out)
}

func TestPersonalFieldsAreShownOnlyWhenAskedFor(t *testing.T) {
	b := newBench(t)
	story(t, b, stream.PartitionOf([]byte("r1"), shards))
	for _, form := range []string{outputTable, outputJSON} {
		r := b.run("show", "--output", form, "r1")
		for _, personal := range []string{"zoe", "secret"} {
			if strings.Contains(r.out+r.err, personal) {
				t.Errorf("%s shows %q:\n%s", form, personal, r.out)
			}
		}
		r = b.run("show", "--output", form, "--personal", "r1")
		for _, personal := range []string{"zoe@example.org", "selfies/zoe.jpg", "zoe-key"} {
			if !strings.Contains(r.out, personal) {
				t.Errorf("%s with --personal lacks %q:\n%s", form, personal, r.out)
			}
		}
		if strings.Contains(r.out, "secret") {
			t.Errorf("%s shows the link", form)
		}
	}
}

// moments returns how many moments the JSON holds.
func (r ran) moments(t *testing.T) int {
	t.Helper()
	var h struct {
		History []struct{ Kind kind }
	}
	if err := json.Unmarshal([]byte(r.out), &h); err != nil {
		t.Fatal(err)
	}
	return len(h.History)
}

func TestARequestWithAnyKeyIsFound(t *testing.T) {
	b := newBench(t)
	story(t, b, elsewhere("r1"))
	r := b.run("show", "--output", "json", "r1")
	r.want(t, 0, "searched all 3 partitions")
	if n := r.moments(t); n != 15 {
		t.Errorf("%d moments, want 15", n)
	}

	likely := originalOf(t, "r1", stream.PartitionOf([]byte("r1"), shards), 0)
	b.write(likely)
	r = b.run("show", "--output", "json", "r1")
	r.want(t, 0, "searched partition 1 of 3")
	if n := r.moments(t); n != 1 {
		t.Errorf("%d moments on the likely partition, want 1", n)
	}
	r = b.run("show", "--output", "json", "--all-partitions", "r1")
	r.want(t, 0, "searched all 3 partitions")
	if n := r.moments(t); n != 16 {
		t.Errorf("%d moments everywhere, want 16", n)
	}
}

func TestWhatIsNotFoundIsSaidWithWhatWasSearched(t *testing.T) {
	b := newBench(t)
	story(t, b, 0)
	b.run("show", "r3").want(t, exitFailed, "nothing found about request r3: searched all 3 partitions of faceauth.requests, ", "from their first record on")
	since := failedAt.Add(150 * time.Second).Format(time.RFC3339)
	r := b.run("show", "--output", "json", "--since", since, "r1")
	r.want(t, 0, "from "+since+" on")
	if n := r.moments(t); n != 2 {
		t.Errorf("%d moments since, want 2", n)
	}
	b.run("show", "a/b").want(t, exitFailed, `request "a/b"`)
}
