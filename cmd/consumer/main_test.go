package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reauth/internal/sandbox"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// kfake's goroutines are on their way out when Close returns.
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*Cluster).run"))
}

// outside starts the sandbox and returns it with the environment of a consumer
// that uses it.
func outside(t *testing.T, change func(*sandbox.Options)) (*sandbox.Sandbox, []string) {
	t.Helper()
	o := sandbox.OnFreePorts()
	o.Partitions = 3
	if change != nil {
		change(&o)
	}
	s, err := sandbox.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	environ := []string{"REAUTH_OPS__LISTEN=127.0.0.1:0", "REAUTH_VENDORS__ARGOS__LIMITS=100/s"}
	for _, v := range s.Environment() {
		if strings.HasPrefix(v.Name, "AWS_") {
			t.Setenv(v.Name, v.Value)
			continue
		}
		environ = append(environ, v.Name+"="+v.Value)
	}
	return s, environ
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func run(ctx context.Context, environ []string, args ...string) (code int, stdout, stderr string) {
	var out, err buffer
	// Never nil: for that cobra takes the arguments of the test's own process.
	code = execute(ctx, append([]string{}, args...), environ, &out, &err)
	return code, out.String(), err.String()
}

func TestCheckReportsEachPart(t *testing.T) {
	_, environ := outside(t, nil)
	code, out, _ := run(t.Context(), environ, "check")
	for _, part := range []string{"settings", "kafka", "topics", "selfies", "vendor argos"} {
		if !strings.Contains(out, "ok    "+part) {
			t.Errorf("%s is not reported as ok:\n%s", part, out)
		}
	}
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestCheckNamesWhatFailsAndGoesOn(t *testing.T) {
	s, environ := outside(t, nil)
	environ = append(environ, "REAUTH_VENDORS__ARGOS__API_KEY=a-wrong-key-of-some-length", "REAUTH_SELFIES__BUCKET=another-bucket",
		"REAUTH_KAFKA__TOPICS__DEAD=no-such-topic")
	code, out, _ := run(t.Context(), environ, "check")
	for _, part := range []string{"FAIL  topics", "no-such-topic", "FAIL  selfies", "NoSuchBucket", "FAIL  vendor argos", "ok    kafka"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in:\n%s", part, out)
		}
	}
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(out, "a-wrong-key") {
		t.Errorf("the key is shown:\n%s", out)
	}
	if n := s.Argos.Stats().Charged; n != 0 {
		t.Errorf("the check cost %d calls", n)
	}
}

func TestWrongSettingsAreAllReportedBeforeAnythingStarts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("kafka:\n  grup: x\nvendors:\n  argos: {timeout: soon}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run(t.Context(), nil, "--config", file)
	for _, part := range []string{"kafka.grup", "kafka.group", "vendors.argos.timeout", "vendors.argos.api_key"} {
		if !strings.Contains(stderr, part) {
			t.Errorf("no word of %s:\n%s", part, stderr)
		}
	}
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
}

func TestTopicsCreatesWhatIsMissingAndLeavesTheRest(t *testing.T) {
	_, environ := outside(t, nil)
	environ = append(environ, "REAUTH_KAFKA__TOPICS__PRIORITY=faceauth.requests.priority")
	code, out, _ := run(t.Context(), environ, "topics")
	if code != 0 || !strings.Contains(out, "faceauth.requests.priority  created") || strings.Count(out, "created") != 1 {
		t.Errorf("exit code %d, output:\n%s", code, out)
	}
	environ = append(environ, "REAUTH_KAFKA__PARTITIONS=5")
	if code, out, _ = run(t.Context(), environ, "topics"); code != 0 || !strings.Contains(out, "partitions is 3, should be 5") || strings.Contains(out, "created") {
		t.Errorf("exit code %d, output:\n%s", code, out)
	}
}

func TestMissingTopicsStopTheStartWithAWordOnWhatToDo(t *testing.T) {
	_, environ := outside(t, nil)
	environ = append(environ, "REAUTH_KAFKA__TOPICS__LEDGER=no-such-topic")
	code, _, stderr := run(t.Context(), environ)
	if code != 1 || !strings.Contains(stderr, "no-such-topic") || !strings.Contains(stderr, "topics command creates") {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
}

func TestServiceIsReadyAnswersProbesAndStops(t *testing.T) {
	_, environ := outside(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stderr buffer
	ended := make(chan int, 1)
	go func() { ended <- execute(ctx, []string{"run"}, environ, io.Discard, &stderr) }()

	address := await(t, &stderr, `"ops":"`)
	await(t, &stderr, "generation started")
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	for path, want := range map[string]string{"/livez": "", "/readyz": `"3 of 3 shards"`, "/metrics": "reauth_shards_owned 3"} {
		answer, err := client.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d, %s", path, answer.StatusCode, body)
		}
	}
	stop()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("exit code %d:\n%s", code, stderr.String())
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the service does not stop")
	}
}

// await waits for text in a log and returns what follows it up to a quote.
func await(t *testing.T, log *buffer, text string) string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for {
		if _, rest, ok := strings.Cut(log.String(), text); ok {
			value, _, _ := strings.Cut(rest, `"`)
			return value
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("no %q in the log:\n%s", text, log.String())
		}
	}
}
