package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The settings of the package comment.
var (
	givenBrokers  = os.Getenv("REAUTH_E2E_BROKERS")
	givenCluster  = os.Getenv("REAUTH_E2E_CLUSTER")
	givenConsumer = os.Getenv("REAUTH_E2E_CONSUMER")
	keptLogs      = os.Getenv("REAUTH_E2E_LOGS")
)

// realKafka tells whether the suite runs against a cluster.
var realKafka = givenBrokers != ""

// sized returns a quantity for a real Kafka, or for the one in memory.
func sized[T any](full, small T) T {
	if realKafka {
		return full
	}
	return small
}

// consumerBinary and producerBinary are what the scenarios start. They are built
// without the race detector: the suite measures how well the quota is used.
var consumerBinary, producerBinary string

// atOnce is how many scenarios may take place at once: on the Kafka in memory
// more than the machine has processors, since mostly they wait.
var atOnce = sized("3", "4")

// concurrently lets a scenario take place beside others. Those that measure rates
// take place alone, and so do those that ill-treat a cluster of all.
func concurrently(t *testing.T) {
	t.Helper()
	t.Parallel()
}

// long leaves a scenario out of short runs.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long")
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "reauth-e2e-")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m,
		goleak.Cleanup(func(code int) {
			os.RemoveAll(dir)
			os.Exit(code)
		}),
		// kfake's goroutines are on their way out when Close returns.
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*Cluster).run"),
		// A toxic that is added or removed while its connection breaks is left
		// behind by toxiproxy v2.12.0.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"))
}

const buildTime = 5 * time.Minute

func build(dir string) (err error) {
	consumerBinary, producerBinary = filepath.Join(dir, "consumer"), filepath.Join(dir, "producer")
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir, "reauth/cmd/consumer", "reauth/cmd/producer")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building consumer and producer: %w\n%s", err, out)
	}
	if givenConsumer != "" {
		consumerBinary, err = filepath.Abs(givenConsumer)
	}
	return err
}
