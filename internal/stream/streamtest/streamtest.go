// Package streamtest starts Kafka inside a test: kfake, franz-go's in-memory
// cluster, which keeps the broker's rules for groups, offsets and errors and can
// be told to misbehave.
package streamtest

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"reauth/internal/stream"
)

// Cluster is a running cluster of three brokers, ended with the test.
type Cluster struct {
	*kfake.Cluster
	network *kfake.VirtualNetwork // nil on real loopback
}

// Topics has topics created at the start, each with that many partitions.
func Topics(partitions int, names ...string) kfake.Opt {
	return kfake.SeedTopics(int32(partitions), names...)
}

// Start starts a cluster on loopback. It cannot be used inside synctest.
func Start(t testing.TB, options ...kfake.Opt) *Cluster {
	t.Helper()
	return start(t, nil, append([]kfake.Opt{kfake.NumBrokers(3)}, options...))
}

// StartVirtual starts a cluster on a network of its own, for testing/synctest:
// time only passes in the bubble if nobody waits for a real socket.
func StartVirtual(t testing.TB, options ...kfake.Opt) *Cluster {
	t.Helper()
	network := new(kfake.VirtualNetwork)
	return start(t, network, append([]kfake.Opt{
		kfake.Ports(9092, 9093, 9094), kfake.ListenFn(network.Listen),
	}, options...))
}

func start(t testing.TB, network *kfake.VirtualNetwork, options []kfake.Opt) *Cluster {
	t.Helper()
	options = append([]kfake.Opt{kfake.GroupMinSessionTimeout(time.Second)}, options...)
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatalf("starting kafka: %v", err)
	}
	t.Cleanup(cluster.Close)
	return &Cluster{Cluster: cluster, network: network}
}

// Config returns how to reach the cluster.
func (c *Cluster) Config() stream.Config {
	config := stream.Config{Brokers: c.ListenAddrs()}
	if c.network != nil {
		config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return c.network.DialContext(ctx, network, strings.Replace(address, "127.0.0.1", "localhost", 1))
		}
	}
	return config
}

// Client opens a client that is closed with the test. Each edit may change its
// configuration.
func (c *Cluster) Client(t testing.TB, edits ...func(*stream.Config)) *stream.Client {
	t.Helper()
	config := c.Config()
	for _, edit := range edits {
		edit(&config)
	}
	client, err := stream.Open(config)
	if err != nil {
		t.Fatalf("opening a client: %v", err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
