package stream_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reauth/internal/stream"
	"reauth/internal/stream/streamtest"
)

func TestCreateTopicsCreatesTheMissingAndReportsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(4, "old"))
		client := kafka.Client(t)
		topics := []stream.Topic{
			{Name: "new", Partitions: 6, Replication: 3, Config: map[string]string{"cleanup.policy": "delete", "retention.ms": "86400000"}},
			{Name: "old", Partitions: 6, Config: map[string]string{"cleanup.policy": "delete", "max.message.bytes": "2000000"}},
		}

		got, err := client.CreateTopics(t.Context(), topics)
		if err != nil {
			t.Fatal(err)
		}
		differences := []stream.Difference{
			{Property: "partitions", Want: "6", Have: "4"},
			{Property: "max.message.bytes", Want: "2000000", Have: "1048588"},
		}
		want := []stream.TopicStatus{{Name: "new", Created: true}, {Name: "old", Differences: differences}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("first run (-want +got):\n%s", diff)
		}
		if old := kafka.PartitionInfos("old"); len(old) != 4 {
			t.Errorf("an existing topic was altered: it has %d partitions now", len(old))
		}

		got, err = client.CreateTopics(t.Context(), topics)
		if err != nil {
			t.Fatal(err)
		}
		want[0].Created = false
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("second run (-want +got):\n%s", diff)
		}
	})
}

func TestDescribeTopicsNamesAllThatAreMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := streamtest.StartVirtual(t, streamtest.Topics(2, "here")).Client(t)

		_, err := client.DescribeTopics(t.Context(), "here", "gone", "away")
		if !errors.Is(err, stream.ErrUnknownTopic) || !strings.Contains(err.Error(), "gone, away") {
			t.Errorf("got %v", err)
		}
		infos, err := client.DescribeTopics(t.Context(), "here")
		if err != nil {
			t.Fatal(err)
		}
		if here := infos["here"]; here.Partitions != 2 || here.Replication != 3 || here.Config["cleanup.policy"] != "delete" {
			t.Errorf("got %+v", here)
		}
	})
}

func TestCheckOfShardsReportsEveryFaultAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(4, "requests", "results"), streamtest.Topics(3, "ledger"), streamtest.Topics(1, "signals"))
		compact := "compact"
		if err := kafka.CreateTopic("dead", 4, map[string]string{"cleanup.policy": compact}); err != nil {
			t.Fatal(err)
		}
		client := kafka.Client(t)

		infos, err := client.DescribeTopics(t.Context(), "requests", "results", "ledger", "dead", "signals")
		if err != nil {
			t.Fatal(err)
		}

		shards, err := stream.CheckShards(infos, []string{"requests", "results"}, "signals")
		if err != nil || shards != 4 {
			t.Errorf("fit topics: got %d shards and %v", shards, err)
		}
		_, err = stream.CheckShards(infos, []string{"requests", "ledger", "dead"}, "signals")
		if !errors.Is(err, stream.ErrUnfitTopics) {
			t.Fatalf("got %v", err)
		}
		for _, part := range []string{"ledger has 3 partitions", "add 1 to it", "dead has cleanup.policy=compact", "set it to delete"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	})
}

func TestTopicsOutsideTheConfigurationAreRefused(t *testing.T) {
	client := openClosed(t, stream.Config{Brokers: []string{"127.0.0.1:1"}, Topics: []string{"ours"}})
	if _, err := client.DescribeTopics(t.Context(), "ours", "theirs"); err == nil || !strings.Contains(err.Error(), "theirs") {
		t.Errorf("got %v", err)
	}
	if _, err := client.NewReader("theirs", 0, 0); err == nil {
		t.Error("a reader of a topic without metadata was made")
	}
}

// Where a record is looked for by the time that its writer gave it, the broker must not
// give it another.
func TestTopicsWhoseRecordsLoseTheirTimesAreUnfit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(4, "usual"))
		for name, kind := range map[string]string{"kept": "CreateTime", "stamped": "LogAppendTime"} {
			if err := kafka.CreateTopic(name, 4, map[string]string{"message.timestamp.type": kind}); err != nil {
				t.Fatal(err)
			}
		}
		client := kafka.Client(t)
		infos, err := client.DescribeTopics(t.Context(), "usual", "kept", "stamped")
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.CheckTimed(infos, "usual", "kept"); err != nil {
			t.Errorf("fit topics: %v", err)
		}
		err = stream.CheckTimed(infos, "kept", "stamped")
		if !errors.Is(err, stream.ErrUnfitTopics) || !strings.Contains(err.Error(), "stamped has message.timestamp.type=LogAppendTime: set it to CreateTime") ||
			strings.Contains(err.Error(), "kept has") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTopicsThatKeepTooLittleAreUnfit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(4, "usual"))
		for name, settings := range map[string]map[string]string{
			"long":    {"retention.ms": "86400000", "retention.bytes": "-1"},
			"forever": {"retention.ms": "-1"},
			"short":   {"retention.ms": "86399999"},
			"small":   {"retention.ms": "-1", "retention.bytes": "1073741824"},
		} {
			if err := kafka.CreateTopic(name, 4, settings); err != nil {
				t.Fatal(err)
			}
		}
		client := kafka.Client(t)
		day := 24 * time.Hour
		infos, err := client.DescribeTopics(t.Context(), "usual", "long", "forever", "short", "small")
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.CheckKept(infos, map[string]time.Duration{"usual": day, "long": day, "forever": day}); err != nil {
			t.Errorf("fit topics: %v", err)
		}
		err = stream.CheckKept(infos, map[string]time.Duration{"long": day, "short": day, "small": day})
		if !errors.Is(err, stream.ErrUnfitTopics) {
			t.Fatalf("got %v", err)
		}
		for _, part := range []string{"short has retention.ms=86399999: set it to 86400000", "small has retention.bytes=1073741824: set it to -1"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
		if strings.Contains(err.Error(), "long has") {
			t.Errorf("%q is about a fit topic, too", err)
		}
	})
}
