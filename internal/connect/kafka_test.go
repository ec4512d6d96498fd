package connect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reauth/internal/config"
)

func TestTopicsKeepWhatTheServiceRestsOn(t *testing.T) {
	c := config.Default()
	c.Kafka.Topics.Priority = "urgent"
	c.Ledger.Window = 24 * time.Hour
	byName := map[string]int{}
	for i, topic := range Topics(c) {
		byName[topic.Name] = i
		if topic.Config["cleanup.policy"] != "delete" {
			t.Errorf("%s is not deleted by age", topic.Name)
		}
		if topic.Config["min.insync.replicas"] != "2" {
			t.Errorf("%s: %s in-sync replicas of 3 are enough", topic.Name, topic.Config["min.insync.replicas"])
		}
		if want := c.Kafka.Partitions; topic.Partitions != want && topic.Name != c.Kafka.Topics.Signals {
			t.Errorf("%s has %d partitions, want %d", topic.Name, topic.Partitions, want)
		}
	}
	if len(byName) != 6 {
		t.Errorf("%d topics", len(byName))
	}
	all := Topics(c)
	if got := all[byName[c.Kafka.Topics.Ledger]].Config["retention.ms"]; got != "691200000" {
		t.Errorf("the ledger keeps its records for %s ms, want a day and the week of the requests", got)
	}
	for _, name := range []string{c.Kafka.Topics.Results, c.Kafka.Topics.Ledger, c.Kafka.Topics.Dead} {
		if got := all[byName[name]].Config["message.timestamp.type"]; got != "CreateTime" {
			t.Errorf("%s has its records' times by %q: whatever the broker's default is, ours are to stay", name, got)
		}
	}
	for _, name := range []string{c.Kafka.Topics.Dead, c.Kafka.Topics.Ledger} {
		if got := all[byName[name]].Config["max.message.bytes"]; got != "2097152" {
			t.Errorf("%s takes records of %s bytes: a request at the default limit must fit with what we add", name, got)
		}
	}
}

func TestReplicationOfOneNeedsOneReplica(t *testing.T) {
	c := config.Default()
	c.Kafka.Replication = 1
	if got := Topics(c)[0].Config["min.insync.replicas"]; got != "1" {
		t.Errorf("%s in-sync replicas are needed of 1", got)
	}
}

func TestShardedTopicsAreAllButTheSignals(t *testing.T) {
	names := config.Default().Kafka.Topics
	names.Priority = "urgent"
	got := strings.Join(ShardedTopics(names), " ")
	if want := strings.Join([]string{names.Requests, "urgent", names.Results, names.Ledger, names.Dead}, " "); got != want {
		t.Errorf("sharded topics are %s, want %s", got, want)
	}
}

func TestFaultsOfTheTLSSettingsNameTheSetting(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, settings := range map[string]config.KafkaTLS{
		"ca_file":   {Enabled: true, CAFile: empty},
		"cert_file": {Enabled: true, CertFile: empty, KeyFile: empty},
	} {
		k := config.Default().Kafka
		k.TLS = settings
		if _, err := Open(k, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "kafka.tls: "+want) {
			t.Errorf("error %v, want it to name %s", err, want)
		}
	}
}
