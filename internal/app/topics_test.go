package app

import (
	"errors"
	"log/slog"
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

// A ledger that forgets sooner than the window loses what is parked there.
func TestLedgerThatKeepsTooLittleIsUnfit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t)
		c := config.Default()
		names := append(connect.ShardedTopics(c.Kafka.Topics), c.Kafka.Topics.Signals)
		for i, name := range names {
			partitions, settings := 12, map[string]string{}
			switch {
			case name == c.Kafka.Topics.Ledger:
				settings["retention.ms"] = "3600000"
			case i == len(names)-1:
				partitions = 1
			}
			if err := kafka.CreateTopic(name, int32(partitions), settings); err != nil {
				t.Fatal(err)
			}
		}
		s := &Service{settings: c, log: slog.New(slog.DiscardHandler), kafka: kafka.Client(t, func(sc *stream.Config) { sc.Topics = names })}
		if err := s.checkTopics(t.Context()); !errors.Is(err, stream.ErrUnfitTopics) {
			t.Errorf("got %v", err)
		}
	})
}
