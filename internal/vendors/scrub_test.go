package vendors_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"reauth/internal/vendors"
)

var errStopping = errors.New("stopping")

func TestScrubKeepsTheKindAndDropsTheData(t *testing.T) {
	const address = "https://vendor.invalid/token?clientSecret=canary"
	inURL := func(err error) error { return &url.Error{Op: "Get", URL: address, Err: err} }
	for _, c := range []struct {
		name string
		err  error
		text string
		is   error
	}{
		{"refused", inURL(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}), "dial: connection refused", syscall.ECONNREFUSED},
		{"reset", inURL(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}), "read: connection reset by peer", syscall.ECONNRESET},
		{"no such host", inURL(&net.OpError{Op: "dial", Err: &net.DNSError{Name: "canary.invalid", IsNotFound: true}}), "dial: host name was not resolved", nil},
		{"timeout of a socket", inURL(&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}), "read: timed out", nil},
		{"not TLS", inURL(http.ErrSchemeMismatch), "not a TLS server", vendors.ErrUntrusted},
		{"cut off", inURL(io.ErrUnexpectedEOF), "connection was closed", io.ErrUnexpectedEOF},
		{"ended", inURL(io.EOF), "connection was closed", io.EOF},
		{"quotes the answer", inURL(fmt.Errorf("malformed HTTP response %q", "canary")), "protocol error", nil},
		{"quotes a host", x509.HostnameError{Host: "canary"}, "protocol error", nil},
	} {
		got := vendors.Scrub(context.Background(), c.err)
		if got.Error() != c.text {
			t.Errorf("%s: %q, want %q", c.name, got, c.text)
		}
		if c.is != nil && !errors.Is(got, c.is) {
			t.Errorf("%s: the chain lacks %v", c.name, c.is)
		}
		if all := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(all, "canary") {
			t.Errorf("%s: data of the error can be printed", c.name)
		}
	}
	if vendors.Scrub(context.Background(), nil) != nil {
		t.Error("no error became one")
	}
}

func TestScrubSaysWhyTheContextEnded(t *testing.T) {
	cancelled, cancel := context.WithCancelCause(context.Background())
	cancel(errStopping)
	late, stop := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer stop()
	lateForUs, stop := context.WithDeadlineCause(context.Background(), time.Unix(0, 0), vendors.ErrTimeout)
	defer stop()
	for _, c := range []struct {
		ctx  context.Context
		text string
		is   []error
	}{
		{cancelled, "stopping", []error{context.Canceled, errStopping}},
		{late, "timed out", []error{context.DeadlineExceeded}},
		{lateForUs, "vendor call timed out", []error{context.DeadlineExceeded, vendors.ErrTimeout}},
	} {
		// Whatever tearing the connection down looked like.
		got := vendors.Scrub(c.ctx, net.ErrClosed)
		if got.Error() != c.text {
			t.Errorf("text %q, want %q", got, c.text)
		}
		for _, target := range c.is {
			if !errors.Is(got, target) {
				t.Errorf("%q lacks %v", got, target)
			}
		}
	}
}

func TestCleanCode(t *testing.T) {
	longest := strings.Repeat("x", 64)
	for s, want := range map[string]string{
		"face_compare_underscore": "face_compare_underscore",
		"A.b-9":                   "A.b-9",
		longest:                   longest,
		longest + "x":             "",
		"free text":               "",
		"naïve":                   "",
		"a\n":                     "",
		"":                        "",
	} {
		if got := vendors.CleanCode(s); got != want {
			t.Errorf("CleanCode(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestSecretHeader(t *testing.T) {
	for _, c := range []struct {
		raw  string
		err  error
		want string
		ok   bool
	}{
		{"key-1\n", nil, "key-1", true},
		{"", nil, "", false},
		{" \n", nil, "", false},
		{"two words", nil, "", false},
		{"line\r\nbreak", nil, "", false},
		{"schlüssel", nil, "", false},
		{"key-1", errStopping, "", false},
	} {
		secret := vendors.Secret(func() (string, error) { return c.raw, c.err })
		if got, ok := secret.Header(); got != c.want || ok != c.ok {
			t.Errorf("secret %q with %v: %q, %v; want %q, %v", c.raw, c.err, got, ok, c.want, c.ok)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, c := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"7", "", 7 * time.Second},
		{" 1.5 ", "", 1500 * time.Millisecond},
		{"-1", "", 0},
		{"NaN", "", 0},
		{"soon", "", 0},
		{"3600", "", time.Hour},
		{"86400", "", vendors.MaxRetryAfter},
		{"1e300", "", vendors.MaxRetryAfter},
		{"Inf", "", vendors.MaxRetryAfter},
		{now.Add(time.Minute).Format(http.TimeFormat), "", time.Minute},
		{now.Add(-time.Minute).Format(http.TimeFormat), "", 0},
		{now.Add(48 * time.Hour).Format(http.TimeFormat), "", vendors.MaxRetryAfter},
		// The vendor's clock is ten minutes ahead of ours.
		{now.Add(11 * time.Minute).Format(http.TimeFormat), now.Add(10 * time.Minute).Format(http.TimeFormat), time.Minute},
	} {
		h := http.Header{"Retry-After": {c.value}, "Date": {c.date}}
		if got := vendors.RetryAfter(h, now); got != c.want {
			t.Errorf("Retry-After %q, Date %q: %v, want %v", c.value, c.date, got, c.want)
		}
	}
}
