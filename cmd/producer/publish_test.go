package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"reauth/internal/campaign"
	"reauth/internal/event"
	"reauth/internal/ops"
)

func TestPublishedRecordsKeepTheContract(t *testing.T) {
	b := newBench(t)
	path := manifestOf(t, 500)
	r := b.run("publish", "--campaign", "camp", "--output", "json", path)
	r.want(t, 0)
	var s publishSummary
	if err := json.Unmarshal([]byte(r.out), &s); err != nil {
		t.Fatal(err)
	}
	if s.Published != 500 || s.Campaign != "camp" || s.Topic != event.TopicRequests || s.Began == "" {
		t.Errorf("summary %+v", s)
	}
	records := b.records(event.TopicRequests)
	if len(records) != 500 {
		t.Fatalf("%d records, want 500", len(records))
	}
	used := make(map[int]bool)
	selfies := make(map[string]bool)
	for _, record := range records {
		q := b.requests([]event.Record{record})[0]
		if string(record.Key) != q.RequestID || q.CampaignID != "camp" {
			t.Fatalf("key %q, request %+v", record.Key, q)
		}
		for header, want := range map[string]string{
			"ce_specversion": "1.0", "ce_type": event.TypeRequest, "ce_source": "/reauth/producer",
			"ce_subject": q.RequestID, "content-type": "application/json",
		} {
			if got, _ := record.Header(header); got != want {
				t.Fatalf("header %s is %q, want %q", header, got, want)
			}
		}
		used[record.Partition] = true
		selfies[q.SelfieKey] = true
	}
	if len(used) != shards || len(selfies) != 500 {
		t.Errorf("%d partitions used, %d selfies named", len(used), len(selfies))
	}

	b.run("publish", "--campaign", "camp", path).want(t, 0)
	again := b.requests(b.records(event.TopicRequests))
	if len(again) != 1000 {
		t.Fatalf("%d records after publishing again", len(again))
	}
	for i := 0; i < len(again); i += 2 {
		if again[i].RequestID != again[i+1].RequestID {
			t.Fatalf("publishing again gave %s a new id", again[i].SelfieKey)
		}
	}
}

// An old requested_at must not make an old record, which the topic's retention
// could delete at once.
func TestARecordIsAsOldAsItsPublication(t *testing.T) {
	b := newBench(t)
	began := time.Now().Add(-time.Second)
	b.runIn(context.Background(), newConsole(),
		`{"submission_id":"s1","selfie_key":"a.jpg","requested_at":"2020-01-01T00:00:00Z"}`, "publish").want(t, 0)
	record := b.records(event.TopicRequests)[0]
	if record.Time.Before(began) {
		t.Errorf("the record is of %s", record.Time)
	}
	if got := b.requests([]event.Record{record})[0].RequestedAt; got.Year() != 2020 {
		t.Errorf("requested at %s", got)
	}
}

const threeFaults = "request_id,submission_id,selfie_key\nr1,s1,a.jpg\nr2,,b.jpg\nr3,s3,/c.jpg\nr1,s4,d.jpg\nr5,s5,e.jpg\n"

func TestFaultyRowsAreAllReportedAndNothingIsPublished(t *testing.T) {
	b := newBench(t)
	for _, from := range []string{"file", "stdin"} {
		name, r := "stdin", ran{}
		if from == "file" {
			name = fileOf(t, "faulty.csv", threeFaults)
			r = b.run("publish", name)
		} else {
			r = b.runIn(context.Background(), newConsole(), threeFaults, "publish", "-")
		}
		r.want(t, exitFailed,
			name+":3: submission_id: missing (vendor argos needs it)",
			name+":4: selfie_key: path_trick",
			name+":5: request_id: duplicate_request_id (line 2 has it too",
			"3 rows of "+name+" are faulty, so nothing was published")
	}
	if n := len(b.records(event.TopicRequests)); n != 0 {
		t.Errorf("%d records published", n)
	}
}

func TestSkipInvalidPublishesTheOthersAndFails(t *testing.T) {
	b := newBench(t)
	r := b.run("publish", "--skip-invalid", "--campaign", "camp", "--priority", fileOf(t, "faulty.csv", threeFaults))
	r.want(t, exitFailed, "3 rows of", "were left out", "--campaign camp")
	var ids []string
	for _, q := range b.requests(b.records(event.TopicPriority)) {
		ids = append(ids, q.RequestID)
	}
	if diff := cmp.Diff([]string{"r1", "r5"}, ids); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

func TestDryRunNeedsNoKafkaAndNoVendorKeys(t *testing.T) {
	environ := []string{"REAUTH_KAFKA__BROKERS=127.0.0.1:1", "REAUTH_VENDORS__ARGOS__API_KEY_FILE=/does/not/exist"}
	r := runWith(context.Background(), newConsole(), "submission_id,selfie_key\ns1,a.jpg\ns2,b.jpg\n", environ, "publish", "--dry-run")
	r.want(t, 0)
	golden(t, "dryrun.txt", r.out)
}

func TestWrongSettingsAndFlagsAreReportedTogether(t *testing.T) {
	environ := []string{"REAUTH_KAFKA__BROKERS=nowhere", "REAUTH_KAFKA__GROOP=x"}
	runWith(context.Background(), newConsole(), "", environ, "publish", "x.csv").
		want(t, exitFailed, "REAUTH_KAFKA__BROKERS", "REAUTH_KAFKA__GROOP")
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"publish", "--format", "xml", "--vendor", "acme", "--not-after", "soon", "--campaign", "a b", "--output", "html", "--from-row", "0", "x.csv"},
			[]string{"--format", "--vendor", "--not-after", `campaign "a b"`, "--output", "--from-row"}},
		{[]string{"publish", "--rate", "fast", "x.csv"}, []string{"--rate"}},
		{[]string{"publish", "--priority", "x.csv"}, []string{"kafka.topics.priority"}},
		{[]string{"publish", "--raw", "a", "b"}, []string{"do not go together"}},
		{[]string{"publish", "/does/not/exist.csv"}, []string{"no such file"}},
		{[]string{"watch", "--campaign", "c", "--since", "yesterday", "--expect", "-1"}, []string{"--since", "--expect"}},
		{[]string{"watch"}, []string{"campaign", "manifest"}},
	} {
		runWith(context.Background(), newConsole(), "", nil, c.args...).want(t, exitFailed, c.want...)
	}
}

func TestAnAbsentTopicIsNamed(t *testing.T) {
	b := newBench(t)
	environ := append(b.environ(), "REAUTH_KAFKA__TOPICS__REQUESTS=elsewhere")
	r := runWith(context.Background(), newConsole(), "", environ, "publish", manifestOf(t, 1))
	r.want(t, exitFailed, "elsewhere", "consumer topics")
}

// A stop in the middle tells how to go on, and going on leaves nothing out.
func TestAStoppedPublicationCanGoOn(t *testing.T) {
	b := newBench(t)
	path := manifestOf(t, 400)
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	errs := newConsole()
	ended := make(chan ran)
	// The first batch goes at once, the next is due in minutes.
	go func() { ended <- b.runIn(ctx, errs, "", "publish", "--campaign", "camp", "--rate", "100/h", path) }()
	errs.await(t, "publishing")
	b.await(event.TopicRequests, 1)
	stop(fmt.Errorf("%w by interrupt", ops.ErrStop))
	r := <-ended
	r.want(t, exitStopped, "asked to stop by interrupt", "published up to row 1 of 400", "--campaign camp --from-row 2")
	if !strings.Contains(r.out, "published  1\n") {
		t.Errorf("summary:\n%s", r.out)
	}
	b.run("publish", "--campaign", "camp", "--from-row", "2", path).want(t, 0)
	ids := make(map[string]int)
	for _, q := range b.requests(b.records(event.TopicRequests)) {
		ids[q.RequestID]++
	}
	if len(ids) != 400 || len(b.records(event.TopicRequests)) != 400 {
		t.Errorf("%d requests in %d records, want 400", len(ids), len(b.records(event.TopicRequests)))
	}
}

func TestRawRecordsAreUntouched(t *testing.T) {
	b := newBench(t)
	odd := "\x00\xff{not json\r\n"
	b.runIn(context.Background(), newConsole(), "from stdin", "publish",
		"--raw", fileOf(t, "odd.bin", odd), "--raw", fileOf(t, "empty", ""), "--raw", "-").want(t, 0)
	// kafka-go does not tell nothing from no bytes when it reads; franz-go does.
	reader, err := kgo.NewClient(kgo.SeedBrokers(b.cluster.ListenAddrs()...), kgo.ConsumeTopics(event.TopicRequests),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got := make(map[string]bool)
	for len(got) < 3 && ctx.Err() == nil {
		reader.PollFetches(ctx).EachRecord(func(record *kgo.Record) {
			if record.Key != nil || len(record.Headers) > 0 || record.Value == nil {
				t.Errorf("key %v, %d headers, value %v", record.Key, len(record.Headers), record.Value)
			}
			got[string(record.Value)] = true
		})
	}
	if diff := cmp.Diff(map[string]bool{odd: true, "": true, "from stdin": true}, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestARawRecordCanBelongToACampaign(t *testing.T) {
	b := newBench(t)
	b.run("publish", "--campaign", "camp", "--raw", fileOf(t, "broken", "{")).want(t, 0)
	for _, rec := range b.records(event.TopicRequests) {
		if campaign, _ := rec.Header(event.HeaderCampaign); campaign != "camp" {
			t.Errorf("headers %v", rec.Headers)
		}
	}
}

func TestARecordThatIsTooLargeFails(t *testing.T) {
	b := newBench(t)
	b.run("publish", "--raw", fileOf(t, "large", strings.Repeat("x", 3<<20))).want(t, exitFailed, "too large")
}

func TestStandardInputIsCopiedForThisUserOnlyAndRemoved(t *testing.T) {
	m, err := openManifest("-", strings.NewReader("submission_id\n"), campaign.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := m.file.Name()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("copy has mode %v, %v", info.Mode(), err)
	}
	if err := m.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("copy is still there: %v", err)
	}
}

// A manifest that is rewritten between the two readings is noticed, and what is
// faulty then is not published.
func TestAManifestThatChangesIsNoticed(t *testing.T) {
	path := fileOf(t, "m.csv", "submission_id,selfie_key\ns1,a.jpg\ns2,b.jpg\n")
	for name, content := range map[string]string{
		"shorter": "submission_id,selfie_key\ns1,a.jpg\n",
		"faulty":  "submission_id,selfie_key\ns1,a.jpg\ns2,\n",
	} {
		m, err := openManifest(path, nil, campaign.Options{Campaign: "camp", Rules: event.Rules{DefaultVendor: event.Argos, Vendors: event.Vendors()}})
		if err != nil {
			t.Fatal(err)
		}
		p := publisher{manifest: m, fromRow: 1, rows: 2}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.batches(func(batch) error { return nil }); !errors.Is(err, errChanged) {
			t.Errorf("%s: error %v, want errChanged", name, err)
		}
		if err := m.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestVersionIsPrinted(t *testing.T) {
	r := runWith(context.Background(), newConsole(), "", nil, "version")
	r.want(t, 0)
	if !strings.HasPrefix(r.out, "producer ") || !strings.Contains(r.out, "go1.") {
		t.Errorf("version %q", r.out)
	}
}

func TestAFolderIsNoManifest(t *testing.T) {
	runWith(context.Background(), newConsole(), "", nil, "publish", "--dry-run", filepath.Dir(t.TempDir())).
		want(t, exitFailed, "is a folder")
}
