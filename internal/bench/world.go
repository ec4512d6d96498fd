package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"reauth/internal/stream"
)

// world is a sandbox in a process of its own, and the way to its Kafka.
type world struct {
	dir     string
	bin     string
	sandbox *process
	environ []string // of a consumer
	admin   string
	kafka   *stream.Client
}

const (
	shards        = 12
	requestsTopic = "faceauth.requests"
	resultsTopic  = "faceauth.results"
	ledgerTopic   = "faceauth.ledger"
)

// newWorld starts a sandbox on free ports, with more flags than those.
func newWorld(ctx context.Context, bin string, flags ...string) (_ *world, err error) {
	w := &world{bin: bin}
	if w.dir, err = os.MkdirTemp("", "reauth-bench-"); err != nil {
		return nil, fmt.Errorf("making a folder for the sandbox: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	const free = "127.0.0.1:0"
	environFile, readyFile := filepath.Join(w.dir, "env"), filepath.Join(w.dir, "ready")
	w.sandbox, err = launch(nil, os.Stderr, filepath.Join(bin, "sandbox"), append([]string{
		"--kafka", free, "--s3", free, "--argos", free, "--admin", free,
		"--env-file", environFile, "--ready-file", readyFile,
	}, flags...)...)
	if err != nil {
		return nil, err
	}
	if err := w.sandbox.await(ctx, func() bool { _, err := os.Stat(readyFile); return err == nil }); err != nil {
		return nil, err
	}
	environ, err := os.ReadFile(environFile)
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's addresses: %w", err)
	}
	w.environ = strings.Fields(string(environ))
	admin, err := os.ReadFile(readyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's addresses: %w", err)
	}
	w.admin = strings.TrimSpace(string(admin))
	if w.kafka, err = stream.Open(stream.Config{Brokers: []string{w.setting("REAUTH_KAFKA__BROKERS")}}); err != nil {
		return nil, err
	}
	// The floor signs nothing.
	return w, w.turn(ctx, `{"s3":{"allow_anonymous":true}}`)
}

// setting returns a variable of the consumer's environment.
func (w *world) setting(name string) string {
	for _, v := range w.environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// get returns what the address answers.
func get(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// close ends the sandbox and forgets what it held.
func (w *world) close() error {
	var faults []error
	if w.kafka != nil {
		faults = append(faults, w.kafka.Close())
	}
	if w.sandbox != nil {
		faults = append(faults, w.sandbox.stop())
	}
	return errors.Join(append(faults, os.RemoveAll(w.dir))...)
}
