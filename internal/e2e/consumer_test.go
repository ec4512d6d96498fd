package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// consumer is a consumer in a process of its own.
type consumer struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	log   *logbook
	ended chan struct{} // closed once err is set
	err   error
}

// start starts a consumer, with more settings than the world's as NAME=value.
// It is killed when the test ends, if it is still there.
func (w *world) start(settings ...string) *consumer {
	w.t.Helper()
	w.started++
	c := &consumer{t: w.t, name: fmt.Sprintf("consumer %d", w.started), log: newLogbook(), ended: make(chan struct{})}
	c.cmd = exec.Command(consumerBinary, "run")
	c.cmd.Env = append(append(slices.Clip(w.environ), "REAUTH_KAFKA__CLIENT_ID=reauth-"+strconv.Itoa(w.started)), settings...)
	c.cmd.Stderr, c.cmd.Stdout = c.log, c.log
	// A consumer must not outlive the test's process.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	w.consumers = append(w.consumers, c)
	w.t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.ended
		c.log.keep(w.t, c.name)
	})
	return c
}

// startWorking starts n consumers and waits until all shards are at work.
func (w *world) startWorking(n int, settings ...string) []*consumer {
	w.t.Helper()
	all := make([]*consumer, n)
	for i := range all {
		all[i] = w.start(settings...)
	}
	w.eventually(time.Minute, "all shards at work, evenly", func() bool {
		owned := 0
		for _, c := range all {
			if !c.alive() {
				w.t.Fatalf("%s ended by itself: %v", c.name, c.err)
			}
			mine := int(c.metric("reauth_shards_owned"))
			if mine == 0 || mine > (shards+n-1)/n {
				return false
			}
			owned += mine
		}
		return owned == shards
	})
	return all
}

// ownedBy returns how many shards the consumers own.
func ownedBy(consumers []*consumer) (n int) {
	for _, c := range consumers {
		n += int(max(0, c.metric("reauth_shards_owned")))
	}
	return n
}

// kill ends the consumer as a power cut does.
func (c *consumer) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// terminate asks the consumer to stop and does not wait.
func (c *consumer) terminate() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatalf("stopping %s: %v", c.name, err)
	}
}

// stop asks the consumer to stop and waits until it has, in good order.
func (c *consumer) stop() {
	c.t.Helper()
	c.terminate()
	c.awaitEnd()
}

const stopTime = 50 * time.Second

func (c *consumer) awaitEnd() {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(stopTime):
		c.t.Fatalf("%s is still there %s after SIGTERM", c.name, stopTime)
	}
	if c.err != nil {
		c.t.Errorf("%s ended badly after SIGTERM: %v", c.name, c.err)
	}
}

// alive tells whether the process is there.
func (c *consumer) alive() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

var opsClient = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ask returns what the ops listener answers; status 0 means that it did not.
func (c *consumer) ask(path string) (status int, body []byte) {
	address := c.log.opsAddress()
	if address == "" {
		return 0, nil
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, nil
	}
	answer, err := opsClient.Do(r)
	if err != nil {
		return 0, nil
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	if err != nil {
		return 0, nil
	}
	return answer.StatusCode, body
}

// metric returns the sum of the series whose name and labels begin with series,
// such as reauth_results_total or reauth_results_total{outcome="approved"; -1 if
// the consumer does not answer.
func (c *consumer) metric(series string) (sum float64) {
	status, body := c.ask("/metrics")
	if status != http.StatusOK {
		return -1
	}
	for line := range bytes.Lines(body) {
		name, value, ok := strings.Cut(strings.TrimSpace(string(line)), " ")
		if !ok || !strings.HasPrefix(name, series) || strings.TrimPrefix(name, series) != "" && !strings.ContainsAny(name, "{") {
			continue
		}
		if base, _, _ := strings.Cut(name, "{"); !strings.HasPrefix(series, base) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			c.t.Fatalf("metric %s: %v", name, err)
		}
		sum += v
	}
	return sum
}

// resident returns the process's memory in bytes.
func (c *consumer) resident() int64 {
	c.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kB, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			if err != nil {
				c.t.Fatal(err)
			}
			return kB << 10
		}
	}
	c.t.Fatal("no VmRSS")
	return 0
}

// entry is a line of the log.
type entry struct {
	Level string
	Msg   string
	facts map[string]any
	line  string
}

// logbook takes in a consumer's log.
type logbook struct {
	mu      sync.Mutex // guards what follows
	all     bytes.Buffer
	rest    []byte
	entries []entry
	ops     string
}

func newLogbook() *logbook { return &logbook{} }

// Write is that of io.Writer; it never fails.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(p)
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

func (l *logbook) take(line []byte) {
	e := entry{line: string(line)}
	if json.Unmarshal(line, &e.facts) == nil {
		e.Level, _ = e.facts["level"].(string)
		e.Msg, _ = e.facts["msg"].(string)
	}
	if e.Msg == "consumer starts" {
		l.ops, _ = e.facts["ops"].(string)
	}
	l.entries = append(l.entries, e)
}

func (l *logbook) opsAddress() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ops
}

// bytes returns all that was logged.
func (l *logbook) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.all.Bytes())
}

// said returns the entries with a message.
func (l *logbook) said(msg string) (found []entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.Msg == msg {
			found = append(found, e)
		}
	}
	return found
}

// keep writes the log to the folder of the settings, or the end of its warnings
// to the test's log if that failed.
func (l *logbook) keep(t *testing.T, name string) {
	if keptLogs != "" {
		file := filepath.Join(keptLogs, strings.NewReplacer("/", "_", " ", "-").Replace(t.Name()+"-"+name)+".log")
		if err := errors.Join(os.MkdirAll(keptLogs, 0o750), os.WriteFile(file, l.bytes(), 0o600)); err != nil {
			t.Error(err)
		}
	}
	if !t.Failed() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var shown []string
	for _, e := range l.entries {
		if e.Level != "DEBUG" && e.Level != "INFO" {
			shown = append(shown, e.line)
		}
	}
	const most = 15
	t.Logf("%s: the last of %d warnings:\n%s", name, len(shown), strings.Join(shown[max(0, len(shown)-most):], "\n"))
}
