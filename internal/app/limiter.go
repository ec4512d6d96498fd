package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/lending"
	"reauth/internal/vendors"
)

// limiter is what lends and borrows slots for all lanes.
type limiter struct {
	redis   *lending.Redis
	lenders []*lending.Lender
	log     *slog.Logger
}

// openLimiter returns nil without settings for one. It makes no connection. held
// says whether the shards are certainly this replica's.
func openLimiter(c config.Config, lanes map[event.Vendor]*vendors.Lane, held func() bool, log *slog.Logger, registerer prometheus.Registerer) (*limiter, error) {
	settings := c.Limiter.Redis
	if !settings.Used() {
		return nil, nil
	}
	redis, err := openRedis(settings)
	if err != nil {
		return nil, err
	}
	l := &limiter{redis: redis, log: log}
	for vendor, lane := range lanes {
		l.lenders = append(l.lenders, lending.New(lending.Config{
			Lane: lane, Pool: redis.Pool(c.Kafka.Group, vendor), Held: held, Timeout: settings.Timeout,
			Registerer: registerer, Logger: log,
		}))
	}
	return l, nil
}

func openRedis(r config.Redis) (*lending.Redis, error) {
	secure, err := redisTLS(r)
	if err != nil {
		return nil, fmt.Errorf("limiter.redis: %w", err)
	}
	return lending.OpenRedis(lending.RedisConfig{
		Addresses: r.Address, Username: r.Username, Password: r.Password.Reveal, TLS: secure, Prefix: r.Prefix,
	}), nil
}

// redisTLS returns nil if TLS is off.
func redisTLS(r config.Redis) (*tls.Config, error) {
	if !r.TLS {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if r.CAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(r.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("ca_file: no certificate in PEM form in it")
	}
	return c, nil
}

// start lends and borrows until ctx ends; the returned function waits for that
// and closes the connections. A nil limiter does nothing.
func (l *limiter) start(ctx context.Context) (wait func()) {
	if l == nil {
		return func() {}
	}
	var running sync.WaitGroup
	for _, lender := range l.lenders {
		running.Go(func() { lender.Run(ctx) })
	}
	return func() {
		running.Wait()
		if err := l.redis.Close(); err != nil {
			l.log.Warn("closing connections to redis", "error", err)
		}
	}
}
