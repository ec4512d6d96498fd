package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// consumer is the real one, in a process of its own.
type consumer struct {
	*process
	log     *logReader
	started time.Time
}

// startConsumer starts it with more settings than the sandbox's, as NAME=value.
func (w *world) startConsumer(settings ...string) (*consumer, error) {
	environ := append([]string{
		"REAUTH_OPS__LISTEN=127.0.0.1:0", "REAUTH_OPS__PPROF=true",
		"REAUTH_VENDORS__ARGOS__LIMITS=none", "REAUTH_LOG__FORMAT=json",
	}, settings...)
	log := &logReader{}
	started := time.Now()
	p, err := launch(append(w.environ, environ...), log, filepath.Join(w.bin, "consumer"), "run")
	if err != nil {
		return nil, err
	}
	return &consumer{process: p, log: log, started: started}, nil
}

// works waits until all shards do.
func (c *consumer) works(ctx context.Context) error {
	if err := c.await(ctx, func() bool { return len(c.log.restored()) == shards }); err != nil {
		return fmt.Errorf("waiting for the consumer's shards: %w", err)
	}
	return nil
}

// profile writes one of the consumer's profiles, such as profile?seconds=5 of
// its CPU, to a file.
func (c *consumer) profile(ctx context.Context, file, name string) error {
	profile, err := get(ctx, fmt.Sprintf("http://%s/debug/pprof/%s", c.log.opsAddr(), name))
	if err != nil {
		return fmt.Errorf("profiling the consumer: %w", err)
	}
	return os.WriteFile(file, profile, 0o600)
}

// logReader takes in the log of a consumer, a JSON object a line, and shows
// warnings and errors.
type logReader struct {
	mu    sync.Mutex // guards what follows
	rest  []byte
	addr  string
	works []shardWorks
}

// shardWorks says that a shard came to work, when, and how long after it was
// assigned.
type shardWorks struct {
	shard int
	at    time.Time
	took  time.Duration
}

// Write is that of io.Writer; it never fails.
func (l *logReader) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		l.take(line)
		l.rest = rest
	}
}

func (l *logReader) take(line []byte) {
	var entry struct {
		Time       time.Time `json:"time"`
		Level      string    `json:"level"`
		Msg        string    `json:"msg"`
		Ops        string    `json:"ops"`
		Partition  int       `json:"partition"`
		RestoredMS int64     `json:"restored_ms"`
	}
	if err := json.Unmarshal(line, &entry); err != nil || entry.Level == "ERROR" || entry.Level == "WARN" {
		fmt.Fprintf(os.Stderr, "consumer: %s\n", line)
	}
	switch entry.Msg {
	case "consumer starts":
		l.addr = entry.Ops
	case "shard works":
		l.works = append(l.works, shardWorks{entry.Partition, entry.Time, time.Duration(entry.RestoredMS) * time.Millisecond})
	}
}

func (l *logReader) opsAddr() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addr
}

// restored returns the shards that came to work, in that order.
func (l *logReader) restored() []shardWorks {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.works)
}
