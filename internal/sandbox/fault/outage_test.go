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

// serve runs a server of one outage and returns a way to call it, and the news of
// a call that has arrived and of one that is done with.
func serve(t *testing.T, o Outage, closed <-chan struct{}) (call func(context.Context) (*http.Response, error), arrived, done <-chan struct{}) {
	t.Helper()
	begun, finished := make(chan struct{}, 1), make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
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
	}, begun, finished
}

func TestRefuseBreaksTheConnection(t *testing.T) {
	call, _, _ := serve(t, Refuse, nil)
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
	call, arrived, done := serve(t, Blackhole, nil)
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-arrived // a caller that left before would be noticed by nobody
		time.AfterFunc(50*time.Millisecond, leave)
	}()
	if _, err := call(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the caller left", err)
	}
	<-done // the handler noticed
}

func TestBlackholeEndsWhenTheServiceCloses(t *testing.T) {
	closed := make(chan struct{})
	call, _, done := serve(t, Blackhole, closed)
	close(closed)
	if resp, err := call(t.Context()); err == nil {
		resp.Body.Close()
		t.Errorf("got status %d, want a broken connection", resp.StatusCode)
	}
	<-done
}

func TestServerErrorIsTheServicesOwn(t *testing.T) {
	call, _, _ := serve(t, ServerError, nil)
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
