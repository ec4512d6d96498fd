package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"reauth/internal/campaign"
	"reauth/internal/event"
	"reauth/internal/ops"
)

// answers returns the results of records of requests, and what is around them:
// five outcomes in turn, one result in ten twice, and results of somebody else.
func answers(t *testing.T, requests []event.Record) []event.Record {
	t.Helper()
	var all []event.Record
	add := func(r event.Result) {
		record, err := r.Record(event.TopicResults, "/test")
		if err != nil {
			t.Fatal(err)
		}
		record.Time = time.Time{}
		all = append(all, record)
	}
	ordered := slices.SortedFunc(slices.Values(requests), func(a, b event.Record) int {
		return strings.Compare(string(a.Key), string(b.Key))
	})
	for i, record := range ordered {
		r := event.Result{
			RequestID: string(record.Key), CampaignID: "camp", Vendor: event.Argos, Outcome: event.Approved,
			Liveness: event.LivenessNone, Calls: 1, Revision: 1, Final: true,
			TimingsMS:   event.Timings{Total: int64(i + 1)},
			Source:      event.Source{Topic: record.Topic, Partition: record.Partition, Offset: record.Offset},
			CompletedAt: time.Now(),
		}
		switch i % 10 {
		case 1:
			r.Outcome, r.Reasons = event.Rejected, []event.Reason{event.NoMatch}
		case 2:
			r.Outcome, r.Reasons = event.Rejected, []event.Reason{event.FaceOccluded, event.SimilarityBelowThreshold}
		case 3:
			r.Outcome, r.Reasons, r.Calls = event.Unusable, []event.Reason{event.NoFace}, 0
		case 4:
			r.Outcome, r.Reasons, r.Calls = event.Failed, []event.Reason{event.AttemptsExhausted}, 3
		case 5:
			add(r)
		}
		add(r)
		r.CampaignID, r.RequestID = "other", "other-"+r.RequestID
		add(r)
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (r ran) report(t *testing.T) watchReport {
	t.Helper()
	var report watchReport
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatalf("%v; standard error:\n%s", err, r.err)
	}
	return report
}

// timeOut watches until standard error has the words at the end: for a second, or
// longer where that does not do for reading what there is.
func (b *bench) timeOut(words string, args ...string) ran {
	b.t.Helper()
	for timeout := time.Second; ; timeout *= 2 {
		r := b.run(append([]string{"watch", "--timeout", timeout.String()}, args...)...)
		if strings.Contains(r.err, words) || timeout > patience/8 {
			r.want(b.t, exitTimedOut, "timed out after "+timeout.String(), words)
			return r
		}
	}
}

func TestWatchSeesEveryResultInWhateverOrder(t *testing.T) {
	b := newBench(t)
	path := manifestOf(t, 200)
	b.run("publish", "--campaign", "camp", path).want(t, 0)
	b.run("publish", "--campaign", "camp", "--priority", fileOf(t, "more.ndjson",
		`{"request_id":"r1","submission_id":"x","selfie_key":"a.jpg"}`)).want(t, 0)
	requests := append(b.records(event.TopicRequests), b.records(event.TopicPriority)...)
	results := answers(t, requests)
	half := len(results) / 2

	b.write(results[:half]...)
	answered := make(map[string]bool)
	for _, r := range results[:half] {
		if id := string(r.Key); !strings.HasPrefix(id, "other-") {
			answered[id] = true
		}
	}
	timedOut := b.timeOut(fmt.Sprintf("%d requests without a result", 201-len(answered)), "--campaign", "camp", "--output", "json")
	partly := timedOut.report(t)
	if partly.Complete || partly.Total != 201 || partly.Missing == 0 || partly.Answered+partly.Missing != 201 {
		t.Errorf("report %+v", partly.Report)
	}
	if want := min(maxMissing, partly.Missing); len(partly.MissingIDs) != want {
		t.Errorf("%d missing ids, want %d", len(partly.MissingIDs), want)
	}
	for _, id := range partly.MissingIDs {
		if answered[id] {
			t.Errorf("%s is not missing", id)
		}
	}

	errs := newConsole()
	ended := make(chan ran)
	go func() { ended <- b.runIn(context.Background(), errs, "", "watch", "--campaign", "camp") }()
	b.write(results[half:]...)
	table := <-ended
	table.want(t, 0, "complete: every request of campaign camp")
	golden(t, "complete.txt", table.out)

	for _, args := range [][]string{
		{"--campaign", "camp", "--expect", "201"},
		{"--campaign", "camp", "--manifest", path},
		{"--campaign", "camp", "--since", "first"},
		{"--campaign", "camp", "--since", time.Now().Add(-time.Hour).Format(time.RFC3339)},
	} {
		r := b.run(append([]string{"watch", "--output", "json"}, args...)...)
		r.want(t, 0)
		report := r.report(t)
		if !report.Complete || report.Answered != 201 || report.Repeats != 20 || report.Repeated != 20 || report.CalledAgain != 20 {
			t.Errorf("%v: report %+v", args, report.Report)
		}
	}
}

func TestRepeatsBehindTheLastResultAreSeen(t *testing.T) {
	b := newBench(t)
	result := func(id, of string) event.Record {
		record, err := event.Result{RequestID: id, CampaignID: of, Outcome: event.Approved, Liveness: event.LivenessNone,
			Revision: 1, CompletedAt: time.Now()}.Record(event.TopicResults, "/test")
		if err != nil {
			t.Fatal(err)
		}
		return record
	}
	b.write(result("r1", "camp"))
	var others []event.Record
	for i := range 2000 {
		others = append(others, result(fmt.Sprint("x", i), "other"))
	}
	b.write(others...)
	b.write(result("r1", "camp"))
	r := b.run("watch", "--campaign", "camp", "--expect", "1", "--output", "json")
	r.want(t, 0)
	if report := r.report(t); report.Repeats != 1 || report.Answered != 1 {
		t.Errorf("report %+v", report.Report)
	}
}

// Old records of others are deleted after the watch has asked where they end.
func TestWatchDoesNotWaitForWhatIsDeleted(t *testing.T) {
	b := newBench(t)
	b.run("publish", "--campaign", "other", "--priority", manifestOf(t, 30)).want(t, 0)
	b.run("publish", "--campaign", "camp", fileOf(t, "more.ndjson", `{"request_id":"r1","submission_id":"x","selfie_key":"a.jpg"}`)).want(t, 0)
	b.write(answers(t, b.records(event.TopicRequests))...)
	b.cluster.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if request.(*kmsg.FetchRequest).Topics[0].Topic != event.TopicPriority {
			return nil, nil, false
		}
		b.cluster.DropControl()
		b.cluster.SleepControl(func() {
			for partition := range int32(shards) {
				const end = -1
				if err := b.cluster.DeleteRecords(event.TopicPriority, partition, end); err != nil {
					t.Error(err)
				}
			}
		})
		return nil, nil, false
	})
	r := b.run("watch", "--campaign", "camp", "--timeout", "20s")
	r.want(t, 0, "was deleted from 0 up to", "complete: every request of campaign camp")
}

// One request was read and has its result, another could not be read yet.
func TestACampaignThatWasNotReadToItsEndIsNotComplete(t *testing.T) {
	b := newBench(t)
	for partition, id := range []string{"r1", "r2"} {
		record, err := event.Request{RequestID: id, SubmissionID: "s", SelfieKey: "a.jpg", CampaignID: "camp"}.Record(event.TopicRequests)
		if err != nil {
			t.Fatal(err)
		}
		record.Partition = partition
		b.write(record)
	}
	b.write(answers(t, b.records(event.TopicRequests)[:1])...)
	b.withhold(event.TopicRequests, 1)
	for wait := time.Second; ; wait *= 2 {
		ctx, cancel := context.WithTimeoutCause(context.Background(), wait, fmt.Errorf("%w by interrupt", ops.ErrStop))
		r := b.runIn(ctx, newConsole(), "", "watch", "--campaign", "camp", "--output", "json")
		cancel()
		report := r.report(t)
		if report.Answered == 0 && wait < patience/8 {
			continue // too slow to come to the result
		}
		r.want(t, exitStopped, "there may be records that were not read")
		if report.Complete || report.Answered != 1 {
			t.Errorf("report %+v", report.Report)
		}
		return
	}
}

func TestWatchNamesWhatIsMissingOfAManifest(t *testing.T) {
	b := newBench(t)
	path := fileOf(t, "m.csv", "request_id,submission_id,selfie_key\nr1,s1,a.jpg\nr2,s2,b.jpg\nr3,s3,c.jpg\nr4,,\n")
	b.run("publish", "--campaign", "camp", "--skip-invalid", path).want(t, exitFailed)
	for _, record := range answers(t, b.records(event.TopicRequests)) {
		if string(record.Key) == "r2" {
			b.write(record)
			break
		}
	}
	// r3 was refused: it ends with its dead letter.
	dead := event.DeadLetter{Stage: event.StageValidate, RequestID: "r3", CampaignID: "camp"}.
		Record(event.TopicDead, event.Record{Topic: event.TopicRequests})
	b.write(dead)
	r := b.timeOut("1 request without a result", "--campaign", "camp", "--manifest", path)
	r.want(t, exitTimedOut, "1 row of "+path+" are faulty and not awaited")
	golden(t, "timedout.txt", r.out)
}

func TestAWatchThatIsStoppedTellsHowFarItCame(t *testing.T) {
	b := newBench(t)
	ctx, stop := context.WithCancelCause(context.Background())
	stop(fmt.Errorf("%w by interrupt", ops.ErrStop))
	r := b.runIn(ctx, newConsole(), "", "watch", "--campaign", "camp", "--expect", "5", "--output", "json")
	if r.code != exitStopped {
		t.Errorf("exit code %d, want %d:\n%s", r.code, exitStopped, r.err)
	}

	ctx, stop = context.WithCancelCause(context.Background())
	ended := make(chan ran)
	go func() {
		ended <- b.runIn(ctx, newConsole(), "", "watch", "--campaign", "camp", "--expect", "5", "--output", "json")
	}()
	awaitFetch(t, b)
	stop(fmt.Errorf("%w by interrupt", ops.ErrStop))
	r = <-ended
	r.want(t, exitStopped, "asked to stop by interrupt: 5 requests without a result")
	if report := r.report(t); report.Missing != 5 || report.MissingIDs != nil {
		t.Errorf("report %+v", report)
	}
}

// awaitFetch waits until somebody reads the results.
func awaitFetch(t *testing.T, b *bench) {
	t.Helper()
	fetched := make(chan struct{}, 1)
	const fetchKey = 1
	b.cluster.ControlKey(fetchKey, fetchNotice(fetched))
	select {
	case <-fetched:
	case <-time.After(patience):
		t.Fatal("nobody reads")
	}
}

func TestPublishCanWatchAfterwards(t *testing.T) {
	b := newBench(t)
	path := manifestOf(t, 30)
	errs := newConsole()
	ended := make(chan ran)
	go func() {
		ended <- b.runIn(context.Background(), errs, "", "publish", "--campaign", "camp", "--watch", "--output", "json", path)
	}()
	b.write(answers(t, b.await(event.TopicRequests, 30))...)
	r := <-ended
	r.want(t, 0)
	if report := r.report(t); !report.Complete || report.Total != 30 || report.Unexpected != 0 {
		t.Errorf("report %+v", report.Report)
	}
}

func TestTheTableOfOddReports(t *testing.T) {
	var b strings.Builder
	r := watchReport{Report: campaign.Report{Campaign: "camp", Total: 12, Answered: 3, Refused: 2, Missing: 7, Unexpected: 1, Waiting: 4,
		NotFinal: 1, Corrected: 2, Repeated: 1, Repeats: 5, Calls: 9, CalledAgain: 2, DeadLetters: 2, Unreadable: 1,
		Outcomes: []campaign.OutcomeReport{{Outcome: "approved", Requests: 2, Reasons: []campaign.ReasonReport{{Requests: 2}}},
			{Outcome: "new_outcome", Requests: 1, Reasons: []campaign.ReasonReport{{Reasons: "new_reason", Requests: 1}}}},
		Vendors: []campaign.VendorReport{
			{Vendor: "argos", Requests: 2, Outcomes: []campaign.OutcomeReport{{Outcome: "approved", Requests: 2}}},
			{Vendor: "faceki", Requests: 1, Outcomes: []campaign.OutcomeReport{{Outcome: "new_outcome", Requests: 1}}}},
		Latency: &campaign.Latency{P50: 1, P90: 2, P95: 3, P99: 4, Max: 5}},
		MissingIDs: []string{"r1", "r2"}}
	if err := r.write(&b, outputTable); err != nil {
		t.Fatal(err)
	}
	golden(t, "odd.txt", b.String())
}

func TestSinceIsATimeADurationOrFirst(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"24h": now.Add(-24 * time.Hour), "0s": now, "first": {}, "2026-11-22T07:00:00Z": now.Add(-time.Hour),
	} {
		got, err := instant("since", text, now)
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1h", "yesterday", "2026-11-22"} {
		if _, err := instant("since", text, now); err == nil {
			t.Errorf("%q passed", text)
		}
	}
}
