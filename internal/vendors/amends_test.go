package vendors

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
)

// slowToConnect is a transport that takes a while before a request leaves.
type slowToConnect struct{}

func (slowToConnect) RoundTrip(r *http.Request) (*http.Response, error) {
	if took, err := time.ParseDuration(strings.Trim(r.URL.Path, "/")); err == nil {
		time.Sleep(took)
	}
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GotConn(httptrace.GotConnInfo{})
	if trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// tokenAdapter fetches a token for its first call.
type tokenAdapter struct {
	tokens *Tokens
	path   string // of calls
}

func (tokenAdapter) Name() event.Vendor          { return event.Faceki }
func (tokenAdapter) Capabilities() Capabilities  { return Capabilities{} }
func (tokenAdapter) Check(context.Context) error { return nil }

func (a tokenAdapter) Authenticate(ctx context.Context, _ Call) (Verdict, error) {
	if _, err := a.tokens.Get(ctx); err != nil {
		return Verdict{}, err
	}
	return Verdict{Outcome: event.Approved}, get(ctx, a.path)
}

func get(ctx context.Context, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://vendor"+path, nil)
	if err == nil {
		_, err = Exchange(&http.Client{Transport: slowToConnect{}}, r, 100)
	}
	return err
}

// What counts is when the call itself leaves, not the request for a token before it.
func TestCallIsLateWhenItLeavesLate(t *testing.T) {
	for name, c := range map[string]struct {
		token, call string
		late        float64
	}{
		"on time":                             {"/0s", "/0s", 0},
		"it waits for a token":                {"/100ms", "/0s", 1},
		"it connects anew, not for its token": {"/0s", "/100ms", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := tokenAdapter{path: c.call, tokens: NewTokens(func(ctx context.Context) (*Token, error) {
					return &Token{Expires: time.Now().Add(time.Hour), RenewAt: time.Now().Add(time.Hour)}, get(ctx, c.token)
				}, time.Now)}
				l := NewLane(a, config())
				l.SetShards([]int{0}, 1)
				p, err := l.ReserveFor(t.Context(), 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := l.Call(t.Context(), p, Call{}, may); err != nil {
					t.Fatal(err)
				}
				if late := testutil.ToFloat64(l.metrics.late); late != c.late {
					t.Errorf("%v calls counted as late, want %v", late, c.late)
				}
			})
		})
	}
}
