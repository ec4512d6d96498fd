// Package connect turns the Kafka settings into a client and into topics, for
// every command that needs them.
package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/config"
	"reauth/internal/stream"
)

// Open returns a client of the cluster that works with the topics given;
// none means all. It makes no connection. registerer may be nil.
func Open(k config.Kafka, topics []string, log *slog.Logger, registerer prometheus.Registerer) (*stream.Client, error) {
	secure, err := tlsConfig(k.TLS)
	if err != nil {
		return nil, fmt.Errorf("kafka.tls: %w", err)
	}
	return stream.Open(stream.Config{
		Brokers:    k.Brokers,
		ClientID:   k.ClientID,
		Topics:     topics,
		TLS:        secure,
		SASL:       saslOf(k.SASL),
		Logger:     log,
		Registerer: registerer,
	})
}

func saslOf(s config.KafkaSASL) stream.SASL {
	mechanisms := map[string]string{
		config.MechanismPlain:       stream.Plain,
		config.MechanismSCRAMSHA256: stream.ScramSHA256,
		config.MechanismSCRAMSHA512: stream.ScramSHA512,
	}
	mechanism, ok := mechanisms[s.Mechanism]
	if !ok {
		return stream.SASL{}
	}
	return stream.SASL{Mechanism: mechanism, Username: s.Username, Password: stream.Secret(s.Password.Reveal())}
}

// tlsConfig returns nil if TLS is off.
func tlsConfig(t config.KafkaTLS) (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("ca_file: no certificate in PEM form in it")
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cert_file and key_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// RequestTopics are the topics that requests are read from.
func RequestTopics(t config.Topics) []string {
	topics := []string{t.Requests}
	if t.Priority != "" {
		topics = append(topics, t.Priority)
	}
	return topics
}

// ShardedTopics are the topics that must have equally many partitions.
func ShardedTopics(t config.Topics) []string {
	return append(RequestTopics(t), t.Results, t.Ledger, t.Dead)
}

// MaxRecordBytes is what the topics of ledger and dead letters take: a dead letter, and
// a parked request in the ledger, carry a record of up to Kafka's default limit of
// 1 MiB, and more. Where requests may be larger, so must be what those topics take.
const MaxRecordBytes = 2 << 20

// CheckTopics returns the number of shards if the topics are fit for the service; its
// error is as of stream's CheckShards, CheckKept and CheckTimed, or wraps
// stream.ErrUnknownTopic and names those that are missing. A parked request
// lives in the ledger, and what the window holds is not called again: so long ledger and
// results have to keep what is written to them. A restore reads the ledger back by time,
// and by its time a result or a dead letter that may be there already is looked for.
func CheckTopics(ctx context.Context, client *stream.Client, c config.Config) (shards int, err error) {
	topics, window := c.Kafka.Topics, c.Ledger.Window
	sharded := ShardedTopics(topics)
	infos, err := client.DescribeTopics(ctx, append(slices.Clone(sharded), topics.Signals)...)
	if err != nil {
		return 0, fmt.Errorf("checking topics: %w", err)
	}
	if shards, err = stream.CheckShards(infos, sharded, topics.Signals); err != nil {
		return 0, err
	}
	if err := errors.Join(
		stream.CheckKept(infos, map[string]time.Duration{topics.Ledger: window, topics.Results: window}),
		stream.CheckTimed(infos, topics.Ledger, topics.Results, topics.Dead),
	); err != nil {
		return 0, err
	}
	return shards, nil
}

// Topics returns every topic as it should be.
func Topics(c config.Config) []stream.Topic {
	k := c.Kafka
	// Two copies must have a record for it to count as written, as long as
	// there are more than two.
	inSync := strconv.Itoa(max(1, k.Replication-1))
	topic := func(name string, partitions int, retention int64, more ...string) stream.Topic {
		settings := map[string]string{
			"cleanup.policy":      "delete",
			"retention.ms":        strconv.FormatInt(retention, 10),
			"min.insync.replicas": inSync,
		}
		for i := 0; i < len(more); i += 2 {
			settings[more[i]] = more[i+1]
		}
		return stream.Topic{Name: name, Partitions: partitions, Replication: k.Replication, Config: settings}
	}
	const ourTimes = "message.timestamp.type" // what is there, we look for by the time that we gave it
	var topics []stream.Topic
	for _, name := range RequestTopics(k.Topics) {
		topics = append(topics, topic(name, k.Partitions, k.Retention.Requests.Milliseconds()))
	}
	return append(topics,
		topic(k.Topics.Results, k.Partitions, k.Retention.Results.Milliseconds(), ourTimes, "CreateTime", "retention.bytes", "-1"),
		topic(k.Topics.Ledger, k.Partitions, c.LedgerRetention().Milliseconds(), ourTimes, "CreateTime", "max.message.bytes", strconv.Itoa(MaxRecordBytes), "retention.bytes", "-1"),
		topic(k.Topics.Dead, k.Partitions, k.Retention.Dead.Milliseconds(), ourTimes, "CreateTime", "max.message.bytes", strconv.Itoa(MaxRecordBytes)),
		topic(k.Topics.Signals, 1, k.Retention.Signals.Milliseconds()),
	)
}
