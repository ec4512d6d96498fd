package config

import (
	"time"
)

// Kafka is how the cluster is reached, and what it holds.
type Kafka struct {
	Brokers          []string
	Group            string
	ClientID         string
	Partitions       int
	Replication      int
	SessionTimeout   time.Duration
	Heartbeat        time.Duration
	RebalanceTimeout time.Duration
	CommitInterval   time.Duration
	TLS              KafkaTLS
	SASL             KafkaSASL
	Topics           Topics
	Retention        Retention
}

// KafkaTLS secures the connection. Certificates are always verified; there is
// no setting to skip it, because ca_file and server_name serve every case in
// which one would want to.
type KafkaTLS struct {
	Enabled    bool
	CAFile     string
	CertFile   string
	KeyFile    string
	ServerName string
}

// KafkaSASL says who we are.
type KafkaSASL struct {
	// Mechanism is one of the Mechanism constants.
	Mechanism string
	Username  string
	Password  Secret
}

// The SASL mechanisms.
const (
	MechanismNone        = "none"
	MechanismPlain       = "plain"
	MechanismSCRAMSHA256 = "scram-sha-256"
	MechanismSCRAMSHA512 = "scram-sha-512"
)

// Topics are the names of the topics.
type Topics struct {
	Requests string
	// Priority is empty when there is no such topic.
	Priority string
	Results  string
	Ledger   string
	Dead     string
	Signals  string
}

// Retention is how long each topic keeps its records.
type Retention struct {
	Requests time.Duration
	Results  time.Duration
	// Ledger is 0 for the ledger's window and as long as requests are kept; see
	// Config.LedgerRetention.
	Ledger  time.Duration
	Dead    time.Duration
	Signals time.Duration
}

// LedgerRetention is how long the ledger topic keeps its records: while the whole
// group stands still nobody writes them again, and its window ends when that began.
func (c *Config) LedgerRetention() time.Duration {
	if c.Kafka.Retention.Ledger == 0 {
		return c.Ledger.Window + c.Kafka.Retention.Requests
	}
	return c.Kafka.Retention.Ledger
}

func (k *Kafka) describe(g group) {
	many(g, &k.Brokers, texts, "brokers", "localhost:9092",
		`Brokers to ask first; they name the rest. List two or three, so that one may be down at a start.`,
		items[string](1, 100), hostPort)
	one(g, &k.Group, texts, "group", "faceauth",
		`Consumer group. Never share it with another kind of consumer, nor with an older one during a migration.`,
		kafkaName)
	one(g, &k.ClientID, texts, "client_id", "reauth",
		`Name under which brokers log, measure and throttle this client.`, kafkaName)
	one(g, &k.Partitions, counts, "partitions", "12",
		`Partitions of each topic but signals, when the topics are created. At a start the topics as they are count;
		they must have equally many. No more replicas than partitions have work.`, between(1, 10000))
	one(g, &k.Replication, counts, "replication", "3",
		`Copies of each partition, when the topics are created.`, between(1, 15))
	one(g, &k.SessionTimeout, durations, "session_timeout", "30s",
		`A replica that is silent for so long loses its partitions. More than 11s and twice heartbeat or commit_interval,
		whichever is longer, so that it notices before another has them. The brokers bound it too
		(group.min.session.timeout.ms, 6s by default, and group.max.session.timeout.ms).`,
		between(time.Second, 30*time.Minute))
	one(g, &k.Heartbeat, durations, "heartbeat", "3s",
		`Time between two signs of life; also how late a rebalance may be noticed. At most a third of session_timeout,
		so that two may be lost.`, between(100*time.Millisecond, 10*time.Minute))
	one(g, &k.RebalanceTimeout, durations, "rebalance_timeout", "45s",
		`How long a rebalance waits for a replica to come back. At least session_timeout.`,
		between(time.Second, 30*time.Minute))
	one(g, &k.CommitInterval, durations, "commit_interval", "1s",
		`Time between two commits of what is done. After a crash, so much work is looked up in the ledger again.`,
		between(50*time.Millisecond, time.Minute))
	g.group("tls", `Encryption of the connection. Certificates are always verified.`, k.TLS.describe)
	g.group("sasl", `Log-in at the brokers.`, k.SASL.describe)
	g.group("topics", `Names of the topics. All must differ.`, k.Topics.describe)
	g.group("retention", `How long records are kept, when the topics are created.`, k.Retention.describe)
}

func (t *KafkaTLS) describe(g group) {
	one(g, &t.Enabled, switches, "enabled", "false", `Speak TLS.`)
	one(g, &t.CAFile, texts, "ca_file", "",
		`PEM file of the authorities to trust. Empty: those of the system.`, optional(readableFile))
	one(g, &t.CertFile, texts, "cert_file", "",
		`PEM file of our certificate, for brokers that ask for one. Goes with key_file.`, optional(readableFile))
	one(g, &t.KeyFile, texts, "key_file", "",
		`PEM file of our certificate's private key.`, optional(readableFile))
	one(g, &t.ServerName, texts, "server_name", "",
		`Name that the brokers' certificates must bear, where it is not the one they are reached by. Empty: the latter.`,
		optional(word))
}

func (s *KafkaSASL) describe(g group) {
	one(g, &s.Mechanism, texts, "mechanism", MechanismNone, `How to log in.`,
		oneOf(MechanismNone, MechanismPlain, MechanismSCRAMSHA256, MechanismSCRAMSHA512))
	one(g, &s.Username, texts, "username", "", `User name; required with a mechanism.`)
	secret(g, &s.Password, "password", `Password; required with a mechanism.`, anyText)
}

func (t *Topics) describe(g group) {
	one(g, &t.Requests, texts, "requests", "faceauth.requests", `What is to be done.`, kafkaName)
	one(g, &t.Priority, texts, "priority", "",
		`What is to be done first, such as faceauth.requests.priority. Empty: not used.`, optional(kafkaName))
	one(g, &t.Results, texts, "results", "faceauth.results", `One event for each request.`, kafkaName)
	one(g, &t.Ledger, texts, "ledger", "faceauth.ledger",
		`What was claimed and answered. Must not be compacted.`, kafkaName)
	one(g, &t.Dead, texts, "dead", "faceauth.dead", `Originals of what could not be done, with the reason.`, kafkaName)
	one(g, &t.Signals, texts, "signals", "faceauth.signals",
		`What replicas tell each other: pauses, wake-ups, withdrawals. One partition.`, kafkaName)
}

const day = 24 * time.Hour

func (r *Retention) describe(g group) {
	one(g, &r.Requests, durations, "requests", "168h",
		`Requests, and priority requests. One that is not reached within this time is lost.`, between(time.Minute, 365*day))
	one(g, &r.Results, durations, "results", "168h",
		`Results. At least ledger.window, because after a crash we look there for what was published.`,
		between(time.Minute, 365*day))
	one(g, &r.Ledger, durations, "ledger", "0s",
		`Ledger. Longer than ledger.window, by as long as the whole group may stand still and find all that it left; 0s: by
		as long as requests are kept.`, between(0, 365*day))
	one(g, &r.Dead, durations, "dead", "720h",
		`Dead letters: the time in which somebody must look at them.`, between(time.Minute, 365*day))
	one(g, &r.Signals, durations, "signals", "24h",
		`Signals. Longer than a pause or a withdrawal must be remembered.`, between(time.Minute, 365*day))
}
