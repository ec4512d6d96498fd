package e2e

import (
	"context"
	"crypto/rand"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"reauth/internal/sandbox"
)

const shards = 12

// world is where a scenario takes place: Kafka, in memory or real, with topics
// and a group of the scenario's own, and a simulated store and vendor.
type world struct {
	*sandbox.Sandbox
	*observer
	t   *testing.T
	ctx context.Context

	topics    sandbox.Topics
	group     string
	environ   []string // of a consumer
	started   int
	consumers []*consumer
	campaign  campaign
	samples   *samples
}

// setting is how a world is to be.
type setting struct {
	// sandbox changes the options of the simulators.
	sandbox func(*sandbox.Options)
	// proxied has consumers reach Kafka through proxies: see proxyBrokers.
	proxied bool
	// environ are more settings of the consumers, as NAME=value.
	environ []string
}

// newWorld makes a world. Consumers in it have short timeouts, so that what
// befalls them is over soon.
func newWorld(t *testing.T, s setting) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Minute)
	t.Cleanup(cancel)
	prefix := "e2e-" + strings.ToLower(rand.Text())
	w := &world{t: t, ctx: ctx, topics: sandbox.TopicsNamed(prefix, false), group: prefix}
	w.campaign = campaign{asked: map[string]asked{}, positions: map[position]string{}, dead: map[position]string{}, foreign: map[string]bool{}}

	o := sandbox.OnFreePorts()
	o.Topics, o.Partitions, o.Brokers = w.topics, shards, 3
	o.Argos.APIKeys = []string{"key-" + rand.Text()}
	if s.proxied && !realKafka {
		// Proxies stand at the brokers' ports of another loopback address.
		o.KafkaAdvertise = proxyHost
	}
	if s.sandbox != nil {
		s.sandbox(&o)
	}
	var err error
	if w.Sandbox, err = sandbox.Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Sandbox.Close)
	// Nothing of our own environment: the consumers' settings are the world's.
	for _, v := range w.Environment() {
		w.environ = append(w.environ, v.Name+"="+v.Value)
	}
	w.environ = append(w.environ,
		"REAUTH_KAFKA__GROUP="+w.group,
		"REAUTH_KAFKA__SESSION_TIMEOUT=14s", "REAUTH_KAFKA__HEARTBEAT=500ms", "REAUTH_KAFKA__REBALANCE_TIMEOUT=20s",
		"REAUTH_VENDORS__ARGOS__TIMEOUT=3s", "REAUTH_BREAKER__SLOW_CALL=2s", "REAUTH_LEDGER__MARGIN=4s", "REAUTH_SHUTDOWN__GRACE=20s",
		"REAUTH_OPS__LISTEN=127.0.0.1:0", "REAUTH_LOG__LEVEL=debug", "REAUTH_LOG__FORMAT=json",
	)
	brokers := strings.Split(w.Brokers(), ",")
	if realKafka {
		brokers = strings.Split(givenBrokers, ",")
		consumers := givenBrokers
		if s.proxied {
			consumers = proxiedBrokers(t)
		}
		w.environ = append(w.environ, "REAUTH_KAFKA__BROKERS="+consumers, "REAUTH_KAFKA__REPLICATION=3")
	}
	w.environ = append(w.environ, s.environ...)
	if realKafka {
		w.createTopics()
	}
	w.observer = observe(t, brokers, []string{w.topics.Requests, w.topics.Results, w.topics.Ledger, w.topics.Dead}, kgo.Dialer(dialPastProxy))
	if realKafka {
		// Topics that stay cost the brokers, and whoever measures next.
		t.Cleanup(func() {
			w.deleteTopics(w.topics.Requests, w.topics.Results, w.topics.Ledger, w.topics.Dead, w.topics.Signals)
		})
	}
	w.samples = w.sampleOften()
	return w
}

// proxyHost is where proxies stand; brokers listen at the usual address.
const proxyHost = "127.0.0.2"

// dialPastProxy reaches the brokers themselves: what befalls the consumers does
// not befall the suite.
func dialPastProxy(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && host == proxyHost {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// createTopics has the consumer's own command make the topics.
func (w *world) createTopics() {
	w.t.Helper()
	cmd := exec.CommandContext(w.ctx, consumerBinary, "topics")
	cmd.Env = append(slices.Clip(w.environ), "REAUTH_KAFKA__BROKERS="+givenBrokers) // the proxies do not stand yet
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("creating the topics: %v\n%s", err, out)
	}
}

// tick is how often conditions are looked at.
const tick = 50 * time.Millisecond

// eventually waits until a condition holds.
func (w *world) eventually(within time.Duration, what string, holds func() bool) {
	w.t.Helper()
	end := time.NewTimer(within)
	defer end.Stop()
	look := time.NewTicker(tick)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-end.C:
			w.t.Fatalf("not within %s: %s", within, what)
		case <-w.ctx.Done():
			w.t.Fatalf("the scenario takes too long, waiting for: %s", what)
		}
	}
}

// pass lets time go by: the length of a fault, or of a measurement.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ctx.Done():
		w.t.Fatal("the scenario takes too long")
	}
}
