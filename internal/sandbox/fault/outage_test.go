package fault

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server of one outage and returns a way to call it.
func serve(t *testing.T, o Outage, closed <-chan struct{}) (call func(context.Context) (*http.Response, error), done <-chan struct{}) {
	t.Helper()
	finished := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { finished <- struct{}{} }()
		o.Serve(w, r, closed, func() { w.WriteHeader(http.StatusInternalServerError) })
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.Client().CloseIdleConnections)
	return func(ctx context.Context) (*http.Response, error) {
		body := strings.NewReader(strings.Repeat("x", 1<<10))
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		return server.Client().Do(r)
	}, finished
}

func TestRefuseBreaksTheConnection(t *testing.T) {
	call, _ := serve(t, Refuse, nil)
	resp, err := call(t.Context())
	if err == nil {
		resp.Body.Close()
		t.Fatalf("got status %d, want a broken connection", resp.StatusCode)
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want a reset", err)
	}
}

func TestBlackholeHoldsUntilTheCallerLeaves(t *testing.T) {
	call, done := serve(t, Blackhole, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's deadline", err)
	}
	<-done // the handler noticed
}

func TestBlackholeEndsWhenTheServiceCloses(t *testing.T) {
	closed := make(chan struct{})
	call, done := serve(t, Blackhole, closed)
	close(closed)
	if resp, err := call(t.Context()); err == nil {
		resp.Body.Close()
		t.Errorf("got status %d, want a broken connection", resp.StatusCode)
	}
	<-done
}

func TestServerErrorIsTheServicesOwn(t *testing.T) {
	call, _ := serve(t, ServerError, nil)
	resp, err := call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", resp.StatusCode)
	}
}

func TestValidateKnowsTheOutages(t *testing.T) {
	for _, o := range []Outage{NoOutage, Refuse, Blackhole, ServerError} {
		if err := o.Validate(); err != nil {
			t.Errorf("%q: %v", o, err)
		}
	}
	if err := Outage("flood").Validate(); err == nil {
		t.Error("flood: want an error")
	}
}
