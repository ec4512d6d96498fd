package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the command with args on free ports and returns its output, line
// by line as it is written, and a way to stop it.
func start(t *testing.T, args ...string) (readUntil func(mark string) string, stop func() error) {
	t.Helper()
	reader, writer := io.Pipe()
	c := command(writer)
	c.SetArgs(append([]string{"--kafka", "127.0.0.1:0", "--s3", "127.0.0.1:0", "--argos", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		err := c.ExecuteContext(ctx)
		writer.CloseWithError(err)
		done <- err
	}()
	readUntil = func(mark string) string {
		var text strings.Builder
		buffer := make([]byte, 4096)
		for !strings.Contains(text.String(), mark) {
			n, err := reader.Read(buffer)
			text.Write(buffer[:n])
			if err != nil {
				t.Fatalf("%q ends with %v before %q", text.String(), err, mark)
			}
		}
		return text.String()
	}
	return readUntil, func() error { cancel(); return <-done }
}

func TestRunAnnouncesItselfAndStopsWithASummary(t *testing.T) {
	dir := t.TempDir()
	envFile, readyFile := filepath.Join(dir, "env"), filepath.Join(dir, "ready")
	readUntil, stop := start(t, "--env-file", envFile, "--ready-file", readyFile,
		"--limit", "50", "--latency", "p50=300ms,p99=2s", "--max-kbytes", "7", "--partitions", "3", "--topic-prefix", "try")
	text := readUntil("ready")

	env, err := os.ReadFile(envFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"REAUTH_KAFKA__BROKERS=127.0.0.1:", "REAUTH_SELFIES__ENDPOINT=http://127.0.0.1:", "REAUTH_SELFIES__PATH_STYLE=true",
		"AWS_ACCESS_KEY_ID=sandbox", "REAUTH_VENDORS__ARGOS__BASE_URL=http://127.0.0.1:", "REAUTH_VENDORS__ARGOS__API_KEY=sandbox-argos-key",
		"REAUTH_VENDORS__ARGOS__LIMITS=50/s", "REAUTH_KAFKA__PARTITIONS=3", "REAUTH_KAFKA__TOPICS__REQUESTS=try.requests",
	} {
		if !strings.Contains(string(env), line) || !strings.Contains(text, line) {
			t.Errorf("%s is missing in file or text:\n%s", line, env)
		}
	}
	if strings.Contains(string(env), ":0\n") || strings.Contains(string(env), ":0/") {
		t.Errorf("a port is not the real one:\n%s", env)
	}

	admin, err := os.ReadFile(readyFile)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(strings.TrimSpace(string(admin)) + "/knobs")
	if err != nil {
		t.Fatal(err)
	}
	knobs, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"latency": "p50=300ms,p99=2s"`, `"per_second": 50`, `"max_bytes": 7168`} {
		if !strings.Contains(string(knobs), want) {
			t.Errorf("%s is not among the knobs:\n%s", want, knobs)
		}
	}

	finished := make(chan error, 1)
	go func() { finished <- stop() }()
	if summary := readUntil("slow down"); !strings.Contains(summary, "0 charged") || !strings.Contains(summary, "0 duplicates") {
		t.Errorf("summary: %s", summary)
	}
	if err := <-finished; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if _, err := os.Stat(readyFile); !os.IsNotExist(err) {
		t.Errorf("the ready file is still there (%v)", err)
	}
}

func TestFacekiComesWithItsFlag(t *testing.T) {
	for _, args := range [][]string{{}, {"--faceki", "127.0.0.1:0", "--faceki-limit", "20", "--faceki-token-seconds", "7"}} {
		readUntil, stop := start(t, args...)
		text := readUntil("ready")
		finished := make(chan error, 1)
		go func() { finished <- stop() }()
		text += readUntil("slow down")
		if err := <-finished; err != nil {
			t.Errorf("%q: stopped with %v", args, err)
		}
		for _, line := range []string{"FACEKI  http://127.0.0.1:", "REAUTH_VENDORS__FACEKI__ENABLED=true", "REAUTH_VENDORS__FACEKI__LIMITS=20/s", "FACEKI: 0 calls"} {
			if strings.Contains(text, line) != (len(args) > 0) {
				t.Errorf("%q: %s is there unasked, or missing:\n%s", args, line, text)
			}
		}
	}
}

func TestCheckoutComesWithItsFlag(t *testing.T) {
	for _, args := range [][]string{{}, {
		"--checkout", "127.0.0.1:0", "--checkout-reads", "30", "--checkout-writes", "20", "--checkout-think", "10ms-20ms",
		"--checkout-webhook", "http://127.0.0.1:18081/webhooks/checkout", "--checkout-webhook-key", "a-key",
	}} {
		readUntil, stop := start(t, args...)
		text := readUntil("ready")
		finished := make(chan error, 1)
		go func() { finished <- stop() }()
		text += readUntil("slow down")
		if err := <-finished; err != nil {
			t.Errorf("%q: stopped with %v", args, err)
		}
		for _, line := range []string{
			"Checkout.com  http://127.0.0.1:", "REAUTH_VENDORS__CHECKOUT__ENABLED=true", "REAUTH_VENDORS__CHECKOUT__LIMITS=20/s",
			"REAUTH_VENDORS__CHECKOUT__WEBHOOK__LISTEN=127.0.0.1:18081", "REAUTH_VENDORS__CHECKOUT__WEBHOOK__SIGNATURE_KEY=a-key", "Checkout.com: 0 created",
		} {
			if strings.Contains(text, line) != (len(args) > 0) {
				t.Errorf("%q: %s is there unasked, or missing:\n%s", args, line, text)
			}
		}
	}
}

func TestRekognitionComesWithItsFlag(t *testing.T) {
	for _, args := range [][]string{{}, {"--rekognition", "127.0.0.1:0", "--rekognition-limit", "20", "--rekognition-latency", "10ms"}} {
		readUntil, stop := start(t, args...)
		text := readUntil("ready")
		finished := make(chan error, 1)
		go func() { finished <- stop() }()
		text += readUntil("slow down")
		if err := <-finished; err != nil {
			t.Errorf("%q: stopped with %v", args, err)
		}
		for _, line := range []string{
			"Amazon Rekognition  http://127.0.0.1:", "REAUTH_VENDORS__REKOGNITION__ENABLED=true", "REAUTH_VENDORS__REKOGNITION__LIMITS=20/s", "Amazon Rekognition: 0 calls",
		} {
			if strings.Contains(text, line) != (len(args) > 0) {
				t.Errorf("%q: %s is there unasked, or missing:\n%s", args, line, text)
			}
		}
	}
}

func TestBadFlagsAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"--latency", "soon"}, {"--error-rate", "2"}, {"--partitions", "0"}, {"--seed-bucket", "X"}, {"--checkout-link", "0s"}, {"--checkout-webhook", "nowhere"}, {"--rekognition-limit", "-1"}, {"extra"}, {"--kafka", "nowhere"},
	} {
		c := command(io.Discard)
		c.SetArgs(append([]string{"--kafka", "127.0.0.1:0", "--s3", "127.0.0.1:0", "--argos", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...))
		if err := c.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%q: want an error", args)
		}
	}
}
