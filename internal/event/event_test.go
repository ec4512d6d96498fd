package event_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"reauth/internal/event"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// received is the Kafka timestamp of records in tests.
var received = time.Date(2026, 11, 21, 10, 0, 0, 123e6, time.UTC)

// rules enable every vendor, without a default.
var rules = event.Rules{
	Vendors: event.Vendors(),
	Buckets: []string{"selfies"},
}

// plain is a record with value and no headers.
func plain(value string) event.Record {
	return event.Record{Topic: event.TopicRequests, Partition: 3, Offset: 1207, Value: []byte(value), Time: received}
}

// argosRequest is the smallest request for Argos.
const argosRequest = `{"request_id":"r-1","vendor":"argos","submission_id":"s1","selfie_key":"a/b.jpg"}`

// golden compares got with the file in testdata/wire, or writes it there.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("..", "..", "testdata", "wire", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: the wire form changed (-want +got):\n%s", name, diff)
	}
}
