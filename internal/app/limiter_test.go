package app

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/config"
)

func TestLimiterLendsForEveryLane(t *testing.T) {
	c := config.Default()
	c.Vendors.Argos.APIKey = config.NewSecret("a-key-for-the-test")
	adapters, err := Adapters(t.Context(), c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	open := func(registry *prometheus.Registry) (*limiter, error) {
		lanes := openLanes(c, adapters, slog.New(slog.DiscardHandler), nil)
		return openLimiter(c, lanes, func() bool { return true }, slog.New(slog.DiscardHandler), registry)
	}
	if l, err := open(nil); l != nil || err != nil {
		t.Errorf("a limiter without an address: %v, %v", l, err)
	}
	c.Limiter.Redis.Address = []string{"127.0.0.1:1"}
	registry := prometheus.NewRegistry()
	l, err := open(registry)
	if err != nil {
		t.Fatal(err)
	}
	defer l.redis.Close()
	families, err := registry.Gather()
	if err != nil || len(l.lenders) != 1 || len(families) != 4 {
		t.Errorf("%d lenders with %d metrics (%v)", len(l.lenders), len(families), err)
	}
}

func TestCheckTellsOfALimiterThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, settings := range map[string]config.Redis{
		"":                                    {},
		"refused":                             {Address: []string{l.Addr().String()}, Prefix: "reauth"},
		"limiter.redis: ca_file":              {Address: []string{l.Addr().String()}, TLS: true, CAFile: empty},
		"limiter.redis: ca_file: open missed": {Address: []string{l.Addr().String()}, TLS: true, CAFile: "missed"},
	} {
		c := config.Default()
		c.Limiter.Redis = settings
		var told []string
		checkLimiter(t.Context(), c, func(name, _ string, err error) {
			told = append(told, name)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("told %v, want %q", err, want)
			}
		})
		if (len(told) == 1) != settings.Used() {
			t.Errorf("%q: told of %v", want, told)
		}
	}
}
