package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cluster is a real Kafka on this machine whose brokers a test may ill-treat.
type cluster struct{ t *testing.T }

const (
	clusterScript = "../tools/kafka/cluster.sh"
	clusterTime   = 2 * time.Minute
)

// theCluster returns the cluster of the settings, and puts it in order again when
// the test ends. Without one the test is skipped.
func theCluster(t *testing.T) cluster {
	t.Helper()
	if givenCluster == "" {
		t.Skip("needs brokers that may be killed: REAUTH_E2E_CLUSTER")
	}
	c := cluster{t}
	t.Cleanup(func() {
		c.do("thaw")
		c.do("revive", 1, 2, 3)
	})
	return c
}

// proxiedBrokers are the addresses at which the cluster's brokers say that they
// are, and are not: where a test puts proxies.
func proxiedBrokers(t *testing.T) string {
	t.Helper()
	addresses, err := os.ReadFile(filepath.Join(givenCluster, "proxied"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(addresses))
}

// do has the script do something with brokers.
func (c cluster) do(command string, brokers ...int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), clusterTime)
	defer cancel()
	args := []string{command, givenCluster}
	for _, b := range brokers {
		args = append(args, strconv.Itoa(b))
	}
	// Brokers that are revived keep the script's output open: it goes nowhere.
	if err := exec.CommandContext(ctx, clusterScript, args...).Run(); err != nil {
		c.t.Fatalf("%s of brokers %v: %v", command, brokers, err)
	}
}
