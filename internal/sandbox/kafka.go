package sandbox

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
)

// segmentBytes is the size of a log's segments. In memory a segment is moved each time
// it has outgrown its place, and the whole cluster waits: of 100 MB, as they are by
// default, for a tenth of a second.
const segmentBytes = 8 << 20

// startKafka starts the cluster and creates the topics that are not there.
func startKafka(o Options) (*kfake.Cluster, error) {
	host, portText, err := net.SplitHostPort(o.KafkaAddr)
	if err != nil {
		return nil, fmt.Errorf("starting Kafka: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("starting Kafka: port of %q: %w", o.KafkaAddr, err)
	}
	ports := make([]int, o.Brokers)
	ports[0] = port
	advertise := o.KafkaAdvertise
	if advertise == "" {
		advertise = host
	}
	opts := []kfake.Opt{
		kfake.Ports(ports...),
		kfake.ClusterID("sandbox"),
		kfake.BrokerConfigs(map[string]string{"log.segment.bytes": strconv.Itoa(segmentBytes)}),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			return listenAs(network, host, advertise, address)
		}),
	}
	if o.DataDir != "" {
		opts = append(opts, kfake.DataDir(o.DataDir))
	}
	if o.MinSessionTimeout > 0 {
		opts = append(opts, kfake.GroupMinSessionTimeout(o.MinSessionTimeout))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("starting Kafka: %w", err)
	}
	for _, topic := range topicsOf(o) {
		if err := topic.create(cluster); err != nil {
			cluster.Close()
			return nil, err
		}
	}
	return cluster, nil
}

// topic is one to be created.
type topic struct {
	name       string
	partitions int
	keep       time.Duration
	maxBytes   int
}

const day = 24 * time.Hour

// Records may be this large in Kafka by default. Dead letters, and parked requests
// in the ledger, hold a record of that size, and more.
const (
	usualMaxBytes = 1 << 20
	largeMaxBytes = 2 << 20
)

func topicsOf(o Options) []topic {
	names := o.Topics
	all := []topic{
		{names.Requests, o.Partitions, 7 * day, usualMaxBytes},
		{names.Results, o.Partitions, 7 * day, usualMaxBytes},
		{names.Ledger, o.Partitions, 8 * day, largeMaxBytes},
		{names.Dead, o.Partitions, 30 * day, largeMaxBytes},
		{names.Signals, 1, day, usualMaxBytes},
	}
	if names.Priority != "" {
		all = append(all, topic{names.Priority, o.Partitions, 7 * day, usualMaxBytes})
	}
	return all
}

// create leaves a topic that exists as it is, but refuses one with another
// number of partitions: the shards would not match.
func (t topic) create(cluster *kfake.Cluster) error {
	err := cluster.CreateTopic(t.name, int32(t.partitions), map[string]string{
		"cleanup.policy":    "delete",
		"retention.ms":      strconv.FormatInt(t.keep.Milliseconds(), 10),
		"max.message.bytes": strconv.Itoa(t.maxBytes),
	})
	if !errors.Is(err, kerr.TopicAlreadyExists) {
		if err != nil {
			return fmt.Errorf("creating topic %s: %w", t.name, err)
		}
		return nil
	}
	if have := len(cluster.PartitionInfos(t.name)); have != t.partitions {
		return fmt.Errorf("topic %s in the data directory has %d partitions, not %d", t.name, have, t.partitions)
	}
	return nil
}

// listenAs listens on host, at the port of address, and says that it is at
// advertise: kfake takes what its listener says for the broker's address.
func listenAs(network, host, advertise, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen(network, net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return namedListener{l, namedAddr(net.JoinHostPort(advertise, port))}, nil
}

// namedListener is a listener under another name.
type namedListener struct {
	net.Listener
	addr namedAddr
}

func (l namedListener) Addr() net.Addr { return l.addr }

// namedAddr is a host and port.
type namedAddr string

func (namedAddr) Network() string  { return "tcp" }
func (a namedAddr) String() string { return string(a) }
