package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"reauth/internal/event"
	"reauth/internal/stream"
	"reauth/internal/stream/streamtest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const shards = 3

// patience bounds what a test waits for: nothing here takes nearly as long.
const patience = time.Minute

// bench is a cluster with the topics, and a client of the test's own.
type bench struct {
	t       *testing.T
	cluster *streamtest.Cluster
	client  *stream.Client
	writer  *stream.Writer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, cluster: streamtest.Start(t,
		streamtest.Topics(shards, event.TopicRequests, event.TopicPriority, event.TopicResults, event.TopicLedger, event.TopicDead))}
	b.client = b.cluster.Client(t)
	b.writer = b.client.NewWriter(stream.WriterConfig{})
	t.Cleanup(func() {
		if err := b.writer.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// console is what a command wrote. It may be read while the command runs.
type console struct {
	mu  sync.Mutex
	buf bytes.Buffer
	// wrote has room for the news that there is more.
	wrote chan struct{}
}

func newConsole() *console { return &console{wrote: make(chan struct{}, 1)} }

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case c.wrote <- struct{}{}:
	default:
	}
	return c.buf.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}

// await waits until text has been written.
func (c *console) await(t *testing.T, text string) {
	t.Helper()
	bound := time.After(patience)
	for !strings.Contains(c.String(), text) {
		select {
		case <-c.wrote:
		case <-bound:
			t.Fatalf("no %q within %v in what was written:\n%s", text, patience, c)
		}
	}
}

// executed is execute with a bound, so that a command that hangs fails its test and
// tells how far it came.
func executed(ctx context.Context, args []string, w world) int {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the test waited for %v in vain", patience))
	defer cancel()
	return execute(ctx, args, w)
}

// ran is how a command ended.
type ran struct {
	code     int
	out, err string
}

// run runs a command line against the cluster.
func (b *bench) run(args ...string) ran {
	b.t.Helper()
	return b.runIn(context.Background(), newConsole(), "", args...)
}

func (b *bench) runIn(ctx context.Context, errs *console, stdin string, args ...string) ran {
	b.t.Helper()
	return runWith(ctx, errs, stdin, b.environ(), args...)
}

func (b *bench) environ() []string {
	return []string{
		"REAUTH_KAFKA__BROKERS=" + strings.Join(b.cluster.ListenAddrs(), ","),
		"REAUTH_KAFKA__TOPICS__PRIORITY=" + event.TopicPriority,
	}
}

func runWith(ctx context.Context, errs *console, stdin string, environ []string, args ...string) ran {
	var out bytes.Buffer
	code := executed(ctx, args, world{in: strings.NewReader(stdin), out: &out, err: errs, environ: environ})
	return ran{code, out.String(), errs.String()}
}

// records returns everything in a topic.
func (b *bench) records(topic string) []event.Record {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all []event.Record
	for partition := range shards {
		end, err := b.client.End(ctx, topic, partition)
		if err != nil {
			b.t.Fatal(err)
		}
		reader, err := b.client.NewReader(topic, partition, stream.FirstOffset)
		if err != nil {
			b.t.Fatal(err)
		}
		for next := int64(0); next < end; {
			record, err := reader.Fetch(ctx)
			if err != nil {
				b.t.Fatal(err)
			}
			next = record.Offset + 1
			all = append(all, record)
		}
		_ = reader.Close()
	}
	return all
}

// await reads a topic until it holds as many records.
func (b *bench) await(topic string, records int) []event.Record {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		all := b.records(topic)
		switch {
		case len(all) >= records:
			return all
		case time.Now().After(deadline):
			b.t.Fatalf("%s holds %d records after %v, want %d", topic, len(all), patience, records)
		}
	}
}

func (b *bench) write(records ...event.Record) {
	b.t.Helper()
	if err := b.writer.Write(context.Background(), records...); err != nil {
		b.t.Fatal(err)
	}
}

// requests decodes records that must all be requests, sorted by id.
func (b *bench) requests(records []event.Record) []event.Request {
	b.t.Helper()
	var all []event.Request
	for _, record := range records {
		r, err := event.Decode(record, event.Rules{DefaultVendor: event.Argos, Vendors: event.Vendors()})
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b event.Request) int { return strings.Compare(a.RequestID, b.RequestID) })
	return all
}

// manifestOf writes a manifest with so many rows and returns its path.
func manifestOf(t *testing.T, rows int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("submission_id,selfie_key\n")
	for i := 1; i <= rows; i++ {
		fmt.Fprintf(&b, "s%d,selfies/%d.jpg\n", i, i)
	}
	return fileOf(t, "autumn.csv", b.String())
}

func fileOf(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// golden compares got with the file in testdata, or writes it there.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%v: write it with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func (r ran) want(t *testing.T, code int, inErr ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d; standard error:\n%s", r.code, code, r.err)
	}
	for _, text := range inErr {
		if !strings.Contains(r.err, text) {
			t.Errorf("standard error lacks %q:\n%s", text, r.err)
		}
	}
}
