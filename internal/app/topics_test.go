package app

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/config"
	"reauth/internal/connect"
	"reauth/internal/stream"
	"reauth/internal/stream/streamtest"
)

// Brokers do not all hear of a new topic at once: the service that starts right
// after its topics were made waits for them, but not for ever.
func TestTopicsMayBecomeKnownLate(t *testing.T) {
	for name, late := range map[string]time.Duration{"soon": 5 * time.Second, "never": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kafka := streamtest.StartVirtual(t)
				c := config.Default()
				names := append(connect.ShardedTopics(c.Kafka.Topics), c.Kafka.Topics.Signals)
				s := &Service{settings: c, log: slog.New(slog.DiscardHandler), kafka: kafka.Client(t, func(sc *stream.Config) { sc.Topics = names })}
				timer := time.AfterFunc(late, func() {
					for i, name := range names {
						partitions := 12
						if i == len(names)-1 {
							partitions = 1
						}
						if err := kafka.CreateTopic(name, int32(partitions), nil); err != nil {
							t.Error(err)
						}
					}
				})
				defer timer.Stop()
				start := time.Now()
				err := s.checkTopics(t.Context())
				if known := late < time.Minute; known != (err == nil) || !known && !errors.Is(err, stream.ErrUnknownTopic) {
					t.Errorf("after %s: %v", time.Since(start), err)
				}
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

// A ledger that forgets sooner than the window loses what is parked there; results and
// dead letters that are not found by the times that we gave them are written twice.
func TestTopicsThatTheServiceCannotRestOnAreUnfit(t *testing.T) {
	topics := config.Default().Kafka.Topics
	for name, c := range map[string]struct {
		topic, setting, value string
		fit                   bool
	}{
		"ledger keeps too little":   {topics.Ledger, "retention.ms", "3600000", false},
		"ledger stamped by broker":  {topics.Ledger, "message.timestamp.type", "LogAppendTime", false},
		"results stamped by broker": {topics.Results, "message.timestamp.type", "LogAppendTime", false},
		"dead stamped by broker":    {topics.Dead, "message.timestamp.type", "LogAppendTime", false},
		// It is upstream's, and nothing is looked for there by a time of ours.
		"requests stamped by broker": {topics.Requests, "message.timestamp.type", "LogAppendTime", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serviceWith(t, c.topic, map[string]string{c.setting: c.value})
				err := s.checkTopics(t.Context())
				if c.fit && err != nil || !c.fit && (!errors.Is(err, stream.ErrUnfitTopics) || !strings.Contains(err.Error(), c.topic+" has "+c.setting)) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// serviceWith returns a service that knows all topics, one of which has settings.
func serviceWith(t *testing.T, odd string, settings map[string]string) *Service {
	t.Helper()
	kafka := streamtest.StartVirtual(t)
	c := config.Default()
	names := append(connect.ShardedTopics(c.Kafka.Topics), c.Kafka.Topics.Signals)
	for i, name := range names {
		partitions, its := 12, map[string]string{}
		if name == odd {
			its = settings
		}
		if i == len(names)-1 {
			partitions = 1
		}
		if err := kafka.CreateTopic(name, int32(partitions), its); err != nil {
			t.Fatal(err)
		}
	}
	return &Service{settings: c, log: slog.New(slog.DiscardHandler), kafka: kafka.Client(t, func(sc *stream.Config) { sc.Topics = names })}
}
