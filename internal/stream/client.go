package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
)

const (
	defaultClientID = "reauth"
	defaultTimeout  = 10 * time.Second
	// metadataTTL stays below the 7.4 s that kafka-go's writer spends on all
	// its retries (measured on v0.4.51): nothing but its age refreshes the
	// cached metadata, so a longer life would outlast them when a leader moves.
	metadataTTL = 5 * time.Second
	// idleTimeout stays below the 10 minutes after which brokers drop an idle
	// connection by default.
	idleTimeout = time.Minute
)

// Config says how to reach the cluster. Open checks it.
type Config struct {
	// Brokers are the bootstrap addresses, each host:port. Required.
	Brokers []string
	// ClientID is what brokers log and meter; empty means "reauth".
	ClientID string
	// Topics are the ones this client works with: the metadata of these, and
	// no others, is kept fresh. Empty means every topic of the cluster, which
	// suits short-lived tools; a long-lived client of a large cluster would
	// fetch all of its metadata every few seconds.
	Topics []string
	// TLS turns TLS on. ServerName is taken from the broker's address unless
	// it is set.
	TLS *tls.Config
	// SASL turns authentication on; its zero value means none.
	SASL SASL
	// Timeout bounds each request and each silent connection; zero means 10 s.
	Timeout time.Duration
	// Dial opens connections; nil means TCP. Tests put a virtual network here.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger takes what is worth telling; nil means silence. kafka-go's own
	// log goes there too: its errors as warnings, the rest at debug level.
	Logger *slog.Logger
	// Registerer takes the metrics; nil means that they are only counted.
	Registerer prometheus.Registerer
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	if len(c.Brokers) == 0 {
		faults = append(faults, errors.New("no brokers given"))
	}
	for _, broker := range c.Brokers {
		host, port, err := net.SplitHostPort(broker)
		if err != nil || host == "" || port == "" {
			faults = append(faults, fmt.Errorf("broker %q is not host:port", broker))
		}
	}
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("timeout %s is negative", c.Timeout))
	}
	if slices.Contains(c.Topics, "") {
		faults = append(faults, errors.New("a topic has no name"))
	}
	faults = append(faults, c.SASL.validate())
	return errors.Join(faults...)
}

// Client is the way to one cluster. Everything of it may be used by many
// goroutines at once. What it makes (members, readers, writers) must be ended
// before it is closed.
type Client struct {
	config    Config
	log       *slog.Logger
	metrics   *metrics
	mechanism sasl.Mechanism // nil means none
	dialer    *dialer
	transport *kafka.Transport
	kafka     *kafka.Client
}

// Open checks the settings and returns a client. It does not touch the
// network; Ping does.
func Open(config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("opening a kafka client: %w", err)
	}
	if config.ClientID == "" {
		config.ClientID = defaultClientID
	}
	if config.Timeout == 0 {
		config.Timeout = defaultTimeout
	}
	log := config.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	mechanism, err := config.SASL.mechanism()
	if err != nil {
		return nil, fmt.Errorf("opening a kafka client: %w", err)
	}
	if config.SASL.Mechanism == Plain && config.TLS == nil {
		log.Warn("SASL PLAIN without TLS sends the password readable over the network")
	}
	m, err := newMetrics(config.Registerer, config.Topics)
	if err != nil {
		return nil, fmt.Errorf("opening a kafka client: registering metrics: %w", err)
	}
	c := &Client{
		config:    config,
		log:       log,
		metrics:   m,
		mechanism: mechanism,
		dialer:    newDialer(config),
	}
	c.transport = &kafka.Transport{
		Dial: c.dialer.dial,
		// One deadline covers all bootstrap brokers in turn, of which some
		// may be black holes, and the authentication.
		DialTimeout:    time.Duration(len(config.Brokers))*connectTimeout + config.Timeout,
		IdleTimeout:    idleTimeout,
		MetadataTTL:    metadataTTL,
		MetadataTopics: slices.Clone(config.Topics),
		ClientID:       config.ClientID,
		SASL:           mechanism,
	}
	c.kafka = &kafka.Client{
		Addr:      kafka.TCP(config.Brokers...),
		Timeout:   config.Timeout,
		Transport: c.transport,
	}
	return c, nil
}

// Close closes the idle connections; those in use close once they are idle.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// Ping asks brokers, in the order given, until one answers, and checks that it
// accepts the requests that this client sends. It returns nil when one does,
// else what was wrong with each.
func (c *Client) Ping(ctx context.Context) error {
	var faults []error
	for _, broker := range c.config.Brokers {
		err := c.ping(ctx, broker)
		if err == nil {
			return nil
		}
		faults = append(faults, fmt.Errorf("broker %s: %w", broker, err))
		if ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("reaching kafka: %w", errors.Join(faults...))
}

func (c *Client) ping(ctx context.Context, broker string) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	lines := newLines(c.dialer.dial)
	// kafka-go's connections know deadlines but no context.
	defer context.AfterFunc(ctx, lines.cut)()
	conn, err := c.groupDialer(lines).DialContext(ctx, "tcp", broker)
	if err != nil {
		return err
	}
	defer conn.Close()
	offered, err := conn.ApiVersions()
	if err != nil {
		return fmt.Errorf("asking for its versions: %w", err)
	}
	return checkVersions(offered, c.mechanism != nil)
}

// groupDialer returns a dialer of kafka-go's second kind, the one that its
// ConsumerGroup, Reader and Conn want, over lines.
func (c *Client) groupDialer(over *lines) *kafka.Dialer {
	return &kafka.Dialer{
		ClientID:      c.config.ClientID,
		DialFunc:      over.dial,
		Timeout:       2 * connectTimeout,
		SASLMechanism: c.mechanism,
	}
}

// known refuses topics that are not among Config.Topics: their metadata is not
// kept, so kafka-go would report them as missing.
func (c *Client) known(topics ...string) error {
	if len(c.config.Topics) == 0 {
		return nil
	}
	var strangers []string
	for _, topic := range topics {
		if !slices.Contains(c.config.Topics, topic) {
			strangers = append(strangers, topic)
		}
	}
	if len(strangers) > 0 {
		return fmt.Errorf("the client was opened without these topics: %s", strings.Join(strangers, ", "))
	}
	return nil
}
