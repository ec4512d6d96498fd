package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// serve runs a server until the test ends and returns a function that gets a
// path of it.
func serve(t *testing.T, c Config) func(path string, header ...string) (*http.Response, string) {
	t.Helper()
	c.Listen = "127.0.0.1:0"
	if c.Registry == nil {
		c.Registry = NewRegistry("v1.2.3")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := net.Dial("tcp", s.Addr()); err == nil {
			t.Error("still listening after Run")
		}
	})
	return func(path string, header ...string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
}

func TestReadyz(t *testing.T) {
	for _, tc := range []struct {
		name       string
		conditions []Condition
		ready      bool
	}{
		{"no conditions", []Condition{}, true},
		{"all hold", []Condition{{Name: "kafka", OK: true}, {Name: "shards", OK: true, Reason: "owns 4 of 12"}}, true},
		{"one fails", []Condition{{Name: "kafka", Reason: "no broker answers"}, {Name: "shards", OK: true}}, false},
		{"an optional one fails", []Condition{{Name: "kafka", OK: true}, {Name: "lane argos", Optional: true, Reason: "paused"}}, true},
		{"both fail", []Condition{{Name: "kafka"}, {Name: "lane argos", Optional: true}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			get := serve(t, Config{Ready: func() []Condition { return tc.conditions }})
			resp, body := get("/readyz")
			if want := map[bool]int{true: 200, false: 503}[tc.ready]; resp.StatusCode != want {
				t.Errorf("got status %d, want %d", resp.StatusCode, want)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("got content type %q", got)
			}
			var answer readiness
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(readiness{tc.ready, tc.conditions}, answer); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadyzFollowsTheConditions(t *testing.T) {
	ok := make(chan bool, 2)
	get := serve(t, Config{Ready: func() []Condition { return []Condition{{Name: "kafka", OK: <-ok}} }})
	for _, want := range []int{503, 200} {
		ok <- want == 200
		if resp, body := get("/readyz"); resp.StatusCode != want {
			t.Errorf("got %d, want %d: %s", resp.StatusCode, want, body)
		}
	}
}

func TestLivezFailsAndLogsWhenWedged(t *testing.T) {
	var out bytes.Buffer
	wedged := errors.New("shard 3 has stood still for 10m")
	get := serve(t, Config{Live: func() error { return wedged }, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	resp, body := get("/livez")
	if resp.StatusCode != 503 || body != wedged.Error()+"\n" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
	if !strings.Contains(out.String(), wedged.Error()) {
		t.Errorf("logged %q", out.String())
	}
}

func TestLivezHoldsWhileNotReady(t *testing.T) {
	get := serve(t, Config{
		Ready: func() []Condition { return []Condition{{Name: "kafka"}} },
		Live:  func() error { return nil },
	})
	if resp, body := get("/livez"); resp.StatusCode != 200 || body != "ok\n" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}

func TestWithoutHooksReadyAndAlive(t *testing.T) {
	get := serve(t, Config{})
	for _, path := range []string{"/livez", "/readyz"} {
		if resp, _ := get(path); resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %v", path, resp.StatusCode, resp.Header)
		}
	}
}

func TestMetricsShowRuntimeProcessAndBuild(t *testing.T) {
	registry := NewRegistry("v1.2.3")
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "reauth_test_total", Help: "Of the test."})
	registry.MustRegister(counter)
	counter.Inc()
	get := serve(t, Config{Registry: registry})
	_, body := get("/metrics")
	for _, want := range []string{
		"\ngo_goroutines ", "\nprocess_open_fds ", "\nreauth_test_total 1\n", "promhttp_metric_handler_errors_total",
		`reauth_build_info{go_version="go`, `version="v1.2.3"} 1`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	resp, body := get("/metrics", "Accept", "application/openmetrics-text;version=1.0.0")
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/openmetrics-text") || !strings.HasSuffix(body, "# EOF\n") {
		t.Errorf("OpenMetrics asked for, got %s", resp.Header.Get("Content-Type"))
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func TestProfilesOnlyWhenAskedFor(t *testing.T) {
	for _, on := range []bool{false, true} {
		get := serve(t, Config{PProf: on})
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1"} {
			if resp, _ := get(path); (resp.StatusCode == 200) != on {
				t.Errorf("pprof %v: %s gives %d", on, path, resp.StatusCode)
			}
		}
	}
}

func TestOnlyGetAndKnownPaths(t *testing.T) {
	get := serve(t, Config{})
	if resp, _ := get("/"); resp.StatusCode != 404 {
		t.Errorf("/ gives %d", resp.StatusCode)
	}
}

func TestAddressInUseIsKnownAtOnce(t *testing.T) {
	c := Config{Listen: "127.0.0.1:0", Registry: NewRegistry(""), Logger: slog.New(slog.DiscardHandler)}
	first, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Listen = first.Addr()
	if _, err := New(c); err == nil {
		t.Error("the address was given twice")
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	second, err := New(c)
	if err != nil {
		t.Fatalf("the address was not given back: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestRunTellsWhenServingBreaksOff(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0", Registry: NewRegistry(""), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestStopWaitsForAnswersUnderWay stops the server while a probe is answered.
func TestStopWaitsForAnswersUnderWay(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	s, err := New(Config{
		Listen: "127.0.0.1:0", Registry: NewRegistry(""), Logger: slog.New(slog.DiscardHandler),
		Live: func() error { close(asked); <-release; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	status := make(chan int, 1)
	go func() {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Get("http://" + s.Addr() + "/livez")
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-asked
	stop()
	for { // until the stop has begun, which shows in that nobody listens
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			break
		}
		conn.Close()
	}
	close(release)
	if got := <-status; got != 200 {
		t.Errorf("the answer under way was cut off: %d", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
