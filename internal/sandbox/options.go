package sandbox

import (
	"errors"
	"fmt"
	"time"

	"reauth/internal/sandbox/argossim"
	"reauth/internal/sandbox/checkoutsim"
	"reauth/internal/sandbox/facekisim"
	"reauth/internal/sandbox/rekognitionsim"
	"reauth/internal/sandbox/s3sim"
)

// Options say where the sandbox listens and how it begins. Addresses are
// host:port; port 0 takes a free one.
type Options struct {
	KafkaAddr, S3Addr, ArgosAddr, AdminAddr string
	// FacekiAddr is where FACEKI listens; empty means that there is none.
	FacekiAddr string
	// CheckoutAddr is where Checkout.com listens, API, tokens and the persons'
	// pages; empty means that there is none.
	CheckoutAddr string
	// RekognitionAddr is where Amazon Rekognition listens; empty means that
	// there is none.
	RekognitionAddr string
	// KafkaAdvertise is the host that Kafka tells its clients to come back
	// to; empty means the host it listens on.
	KafkaAdvertise string
	// Brokers is how many brokers Kafka has, at least 1. Those after the
	// first take free ports.
	Brokers int
	// DataDir keeps Kafka's topics and groups from one run to the next;
	// empty means memory only. S3 and the vendors always begin anew.
	DataDir string
	// Topics are created unless they are there. Clients cannot create any by
	// asking for their metadata.
	Topics Topics
	// Partitions is the number of shards: of every topic but the signals.
	Partitions int
	// MinSessionTimeout is the shortest session that a group member may ask
	// for; zero means Kafka's usual 6 seconds.
	MinSessionTimeout time.Duration
	// Buckets exist from the start, the first one is the default.
	Buckets []string
	// SelfiePrefix is what scripted selfie keys begin with.
	SelfiePrefix string
	// Seed makes latencies and rates repeatable.
	Seed uint64

	Argos  argossim.Knobs
	Faceki facekisim.Knobs
	// Checkout.Webhook.URL is where the consumer is to listen for its events;
	// empty means that there are none.
	Checkout checkoutsim.Knobs
	// Rekognition's region and credentials are S3's, whatever its knobs say.
	Rekognition rekognitionsim.Knobs
	S3          s3sim.Knobs
}

// Topics are the names of the topics; Priority may be empty.
type Topics struct {
	Requests, Priority, Results, Ledger, Dead, Signals string
}

// TopicsNamed are the topics whose names begin with prefix and a dot.
func TopicsNamed(prefix string, priority bool) Topics {
	t := Topics{
		Requests: prefix + ".requests",
		Results:  prefix + ".results",
		Ledger:   prefix + ".ledger",
		Dead:     prefix + ".dead",
		Signals:  prefix + ".signals",
	}
	if priority {
		t.Priority = prefix + ".requests.priority"
	}
	return t
}

// DefaultTopics are the names that the consumer assumes.
func DefaultTopics() Topics { return TopicsNamed("faceauth", false) }

// DefaultOptions are those of cmd/sandbox: well-known ports, everything in good
// health, no limits.
func DefaultOptions() Options {
	return Options{
		KafkaAddr:    "127.0.0.1:9092",
		S3Addr:       "127.0.0.1:9000",
		ArgosAddr:    "127.0.0.1:9101",
		AdminAddr:    "127.0.0.1:9100",
		Brokers:      1,
		Topics:       DefaultTopics(),
		Partitions:   12,
		Buckets:      []string{"selfies"},
		SelfiePrefix: "selfies/",
		Seed:         1,
		Argos:        argossim.DefaultKnobs(),
		Faceki:       facekisim.DefaultKnobs(),
		Checkout:     checkoutsim.DefaultKnobs(),
		Rekognition:  rekognitionsim.DefaultKnobs(),
		S3:           s3sim.DefaultKnobs(),
	}
}

// OnFreePorts are the options for a test: DefaultOptions on free ports, and
// with group sessions as short as a member likes.
func OnFreePorts() Options {
	o := DefaultOptions()
	const free = "127.0.0.1:0"
	o.KafkaAddr, o.S3Addr, o.ArgosAddr, o.AdminAddr = free, free, free, free
	o.MinSessionTimeout = 100 * time.Millisecond
	return o
}

// Validate reports every value that makes no sense, joined.
func (o Options) Validate() error {
	var faults []error
	if o.Partitions < 1 {
		faults = append(faults, fmt.Errorf("partitions must be at least 1, is %d", o.Partitions))
	}
	if o.Brokers < 1 {
		faults = append(faults, fmt.Errorf("brokers must be at least 1, is %d", o.Brokers))
	}
	if len(o.Buckets) == 0 {
		faults = append(faults, errors.New("at least one bucket is needed"))
	}
	if len(o.Argos.APIKeys) == 0 || o.Argos.APIKeys[0] == "" {
		faults = append(faults, errors.New("argos: at least one API key is needed"))
	}
	names := map[string]bool{"": true}
	for _, topic := range []string{o.Topics.Requests, o.Topics.Results, o.Topics.Ledger, o.Topics.Dead, o.Topics.Signals} {
		if names[topic] {
			faults = append(faults, fmt.Errorf("topic name %q is empty or taken twice", topic))
		}
		names[topic] = true
	}
	if p := o.Topics.Priority; p != "" && names[p] {
		faults = append(faults, fmt.Errorf("topic name %q is taken twice", p))
	}
	if err := o.Argos.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("argos: %w", err))
	}
	if err := o.Faceki.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("faceki: %w", err))
	}
	if err := o.Checkout.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("checkout: %w", err))
	}
	if err := o.Rekognition.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("rekognition: %w", err))
	}
	if err := o.S3.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("s3: %w", err))
	}
	return errors.Join(faults...)
}
