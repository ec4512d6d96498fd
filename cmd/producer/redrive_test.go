package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/campaign"
	"reauth/internal/event"
	"reauth/internal/ops"
	"reauth/internal/stream"
)

// redrive sends back what the flags choose and returns what it says.
func (b *bench) redrive(args ...string) redriveSummary {
	b.t.Helper()
	r := b.run(append([]string{"dead", "redrive", "--yes", "--output", "json"}, args...)...)
	r.want(b.t, 0)
	var s redriveSummary
	if err := json.Unmarshal([]byte(r.out), &s); err != nil {
		b.t.Fatal(err)
	}
	return s
}

// The shard's ledger knows the request, and no other shard's does.
func TestARecordGoesBackToItsPartitionAsItWas(t *testing.T) {
	b := newBench(t)
	original := originalOf(t, "r1", elsewhere("r1"), 41)
	original.Headers = append(original.Headers, event.Header{Key: "x-tenant", Value: []byte("acme")})
	b.write(exhausted("r1", 0).Record(event.TopicDead, original))
	began := time.Now().Add(-time.Second)
	if s := b.redrive("--all"); s.Sent != 1 {
		t.Errorf("summary %+v", s)
	}
	back := b.records(event.TopicRequests)
	if len(back) != 1 {
		t.Fatalf("%d records, want 1", len(back))
	}
	rec := back[0]
	if rec.Partition != elsewhere("r1") || !bytes.Equal(rec.Key, original.Key) || !bytes.Equal(rec.Value, original.Value) {
		t.Errorf("on partition %d with key %s: %s", rec.Partition, rec.Key, rec.Value)
	}
	if rec.Time.Before(began) {
		t.Errorf("the record is of %s: the retention could delete it at once", rec.Time)
	}
	if diff := cmp.Diff(original.Headers, rec.Headers[:len(original.Headers)]); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	origin, _ := event.Redriven(rec)
	if want := (event.Source{Topic: event.TopicRequests, Partition: elsewhere("r1"), Offset: 41}); origin != want || event.Redrives(rec) != 1 {
		t.Errorf("origin %+v, sent back %d times; want %+v, once", origin, event.Redrives(rec), want)
	}
}

func TestEachRecordGoesBackToItsTopic(t *testing.T) {
	b := newBench(t)
	b.write(sampleDead(t)...)
	s := b.redrive("--reason", "attempts_exhausted,unknown_outcome,selfie_forbidden")
	if s.Sent != 4 {
		t.Errorf("summary %+v", s)
	}
	var ids []string
	for _, q := range b.requests(b.records(event.TopicRequests)) {
		ids = append(ids, q.RequestID)
	}
	if diff := cmp.Diff([]string{"r1", "r2", "r3"}, ids); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if prior := b.requests(b.records(event.TopicPriority)); len(prior) != 1 || prior[0].RequestID != "r4" {
		t.Errorf("priority requests %+v", prior)
	}
}

func TestNothingGoesBackTwiceAfterOneDeadLetter(t *testing.T) {
	b := newBench(t)
	dead := sampleDead(t)
	b.write(dead...)
	b.write(dead[0]) // a dead letter that was published twice
	first := b.redrive("--campaign", "autumn")
	if first.Sent != 3 || first.Hindered[campaign.SentBack] != 1 {
		t.Errorf("at first: %+v", first)
	}
	again := b.redrive("--all")
	want := map[campaign.Hindrance]int{campaign.SentBack: 4, campaign.NoRequest: 1}
	if diff := cmp.Diff(want, again.Hindered); diff != "" || again.Sent != 1 || again.Chosen != 6 {
		t.Errorf("the second time: %+v", again)
	}
	if n := len(b.records(event.TopicRequests)) + len(b.records(event.TopicPriority)); n != 4 {
		t.Errorf("%d records sent back, want 4", n)
	}
}

// Dead letters are kept for longer than requests: what shows that one was sent
// back goes first, and the ledger has forgotten the request by then.
func TestWhatMayHaveGoneBackWithoutATraceIsLeftOut(t *testing.T) {
	b := newBench(t)
	b.write(exhausted("r1", 0).Record(event.TopicDead, originalOf(t, "r1", 0, 41)))
	b.redrive("--all")
	later := exhausted("r2", 0)
	later.FailedAt = time.Now().Add(time.Hour)
	b.write(later.Record(event.TopicDead, originalOf(t, "r2", 0, 42)))
	for _, left := range []int{1, 0} {
		if left == 1 {
			next := originalOf(t, "r3", 0, 0)
			next.Time = time.Time{}
			b.write(next)
		}
		end, err := b.client.End(context.Background(), event.TopicRequests, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.cluster.DeleteRecords(event.TopicRequests, 0, end-int64(left)); err != nil {
			t.Fatal(err)
		}
		r := b.run("dead", "redrive", "--all", "--dry-run", "--output", "json")
		r.want(t, 0)
		var s redriveSummary
		if err := json.Unmarshal([]byte(r.out), &s); err != nil {
			t.Fatal(err)
		}
		if s.Planned != 1 || s.Hindered[campaign.TooOld] != 1 {
			t.Errorf("with %d records left: %+v", left, s)
		}
	}
	if s := b.redrive("--request", "r1", "--include-old"); s.Sent != 1 {
		t.Errorf("with --include-old: %+v", s)
	}
}

// A record that comes to be a dead letter again and again goes back up to the
// bound.
func TestTheSameRecordGoesBackUpToTheBound(t *testing.T) {
	b := newBench(t)
	b.write(exhausted("r1", 0).Record(event.TopicDead, originalOf(t, "r1", 1, 41)))
	for n := 1; n <= 3; n++ {
		if s := b.redrive("--request", "r1"); s.Sent != 1 || s.Hindered[campaign.SentBack] != n-1 {
			t.Fatalf("time %d: %+v", n, s)
		}
		back := b.records(event.TopicRequests)
		last := back[len(back)-1]
		if len(back) != n || event.Redrives(last) != n {
			t.Fatalf("time %d: %d records, the last sent back %d times", n, len(back), event.Redrives(last))
		}
		b.write(exhausted("r1", time.Duration(n)*time.Hour).Record(event.TopicDead, last))
	}
	s := b.redrive("--request", "r1")
	if s.Sent != 0 || s.Hindered[campaign.AtBound] != 1 || len(b.records(event.TopicRequests)) != 3 {
		t.Errorf("past the bound: %+v", s)
	}
	if s := b.redrive("--request", "r1", "--max-redrives", "4"); s.Sent != 1 {
		t.Errorf("with a higher bound: %+v", s)
	}
}

func TestADryRunTellsAndSendsNothing(t *testing.T) {
	b := newBench(t)
	b.write(sampleDead(t)...)
	foreign := originalOf(t, "r5", 0, 1)
	foreign.Topic = "elsewhere"
	b.write(exhausted("r5", 5*time.Hour).Record(event.TopicDead, foreign))
	often := originalOf(t, "r6", 0, 43)
	often.Headers = append(often.Headers, event.Header{Key: event.HeaderRedrive, Value: []byte("3")})
	b.write(exhausted("r6", 6*time.Hour).Record(event.TopicDead, often))
	b.redrive("--request", "r1")

	r := b.run("dead", "redrive", "--all", "--dry-run")
	r.want(t, 0, "1 dead letter held because nobody knows", "may charge for both")
	golden(t, "redrive.dryrun.txt", r.out)
	if n := len(b.records(event.TopicRequests)); n != 1 {
		t.Errorf("%d records, and one was sent before the dry run", n)
	}
}

func TestRefusedRecordsGoBackOnlyWhenAskedFor(t *testing.T) {
	b := newBench(t)
	b.write(sampleDead(t)...)
	if s := b.redrive("--stage", "decode"); s.Sent != 0 || s.Hindered[campaign.NoRequest] != 1 {
		t.Errorf("summary %+v", s)
	}
	if s := b.redrive("--stage", "decode", "--include-invalid"); s.Sent != 1 {
		t.Errorf("summary %+v", s)
	}
	if back := b.records(event.TopicRequests); len(back) != 1 || string(back[0].Value) != "\xfe\x00zoe" {
		t.Errorf("records %+v", back)
	}
}

func TestAwayFromATerminalItNeedsAYes(t *testing.T) {
	b := newBench(t)
	b.write(sampleDead(t)...)
	b.runIn(context.Background(), newConsole(), "y\n", "dead", "redrive", "--all").want(t, exitFailed, "--yes")
	if n := len(b.records(event.TopicRequests)); n != 0 {
		t.Errorf("%d records were sent back", n)
	}
}

// The rate holds the second record up for hours, and going on leaves nothing
// out.
func TestARedriveThatIsStoppedCanGoOn(t *testing.T) {
	b := newBench(t)
	b.write(sampleDead(t)...)
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	ended := make(chan ran)
	go func() {
		ended <- b.runIn(ctx, newConsole(), "", "dead", "redrive", "--campaign", "autumn", "--yes", "--rate", "1/h")
	}()
	b.await(event.TopicRequests, 1)
	stop(fmt.Errorf("%w by interrupt", ops.ErrStop))
	r := <-ended
	r.want(t, exitStopped, "sent back 1 of 3", "give the same command again")
	if s := b.redrive("--campaign", "autumn"); s.Sent != 2 || s.Hindered[campaign.SentBack] != 1 {
		t.Errorf("going on: %+v", s)
	}
}

func TestARecordThatIsTooLargeForItsTopicIsNamedAndTheOthersGoBack(t *testing.T) {
	b := newBench(t)
	const small = "small.requests"
	_, err := b.client.CreateTopics(context.Background(), []stream.Topic{
		{Name: small, Partitions: shards, Replication: 1, Config: map[string]string{"max.message.bytes": "2000"}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"r1", "r2", "r3"} {
		rec := originalOf(t, id, i, 5)
		rec.Topic = small
		if id == "r2" {
			rec.Value = append(slices.Clone(rec.Value), bytes.Repeat([]byte(" "), 4000)...)
		}
		b.write(exhausted(id, 0).Record(event.TopicDead, rec))
	}
	environ := append(b.environ(), "REAUTH_KAFKA__TOPICS__REQUESTS="+small)
	r := runWith(context.Background(), newConsole(), "", environ, "dead", "redrive", "--all", "--yes")
	r.want(t, exitFailed, "faceauth.dead/1/0 was not sent back", "max.message.bytes", "some dead letters were not sent back")
	if !strings.Contains(r.out, "sent back  2\n") || !strings.Contains(r.out, "too large  1\n") {
		t.Errorf("summary:\n%s", r.out)
	}
}

// A topic with another number of partitions has other shards.
func TestTopicsOfOtherShardsAreRefused(t *testing.T) {
	b := newBench(t)
	_, err := b.client.CreateTopics(context.Background(), []stream.Topic{{Name: "more.requests", Partitions: shards + 1, Replication: 1}})
	if err != nil {
		t.Fatal(err)
	}
	environ := append(b.environ(), "REAUTH_KAFKA__TOPICS__REQUESTS=more.requests")
	runWith(context.Background(), newConsole(), "", environ, "dead", "redrive", "--all", "--yes").
		want(t, exitFailed, "more.requests has 4 partitions and faceauth.dead has 3")
}
