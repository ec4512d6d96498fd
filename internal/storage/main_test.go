package storage

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(serveEnv) != "" {
		serveObjects()
		return
	}
	goleak.VerifyTestMain(m)
}

// openStore opens c with what every test needs: path style, the bucket selfies
// and static credentials, as the SDK would ask the metadata address otherwise.
func openStore(t testing.TB, c Config) *Store {
	t.Helper()
	if c.Bucket == "" {
		c.Bucket = "selfies"
	}
	c.Region = "us-east-1"
	c.PathStyle = true
	if c.Credentials == nil {
		c.Credentials = credentials.NewStaticCredentialsProvider("id", "secret", "")
	}
	store, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// cpuTime returns the user and system time of this process.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
