package stream_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"

	"reauth/internal/event"
	"reauth/internal/stream"
	"reauth/internal/stream/streamtest"
)

// certificate makes a certificate for localhost, and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "kafka"},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// useAllOf writes and reads a record and becomes a member: every way in which
// kafka-go connects.
func useAllOf(t *testing.T, client *stream.Client) {
	t.Helper()
	if err := client.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	writer := newWriter(t, client, stream.WriterConfig{})
	if err := writer.Write(t.Context(), event.Record{Topic: "requests", Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	reader, err := client.NewReader("requests", 0, stream.FirstOffset)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if record, err := reader.Fetch(t.Context()); err != nil || string(record.Value) != "v" {
		t.Fatalf("read %q and %v", record.Value, err)
	}
	assigned := make(chan struct{})
	member, err := client.NewMember(stream.GroupConfig{Group: group, Topics: []string{"requests"}}, &signal{assigned: assigned})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := contextWithStop(t)
	left := make(chan error)
	go func() { left <- member.Run(ctx) }()
	select {
	case <-assigned:
	case err := <-left:
		t.Fatalf("membership ended with %v", err)
	}
	stop()
	if err := <-left; err != nil {
		t.Fatal(err)
	}
}

// signal is a Handler that only tells that it was assigned something.
type signal struct {
	owner
	assigned chan struct{}
}

func (s *signal) Assign(a stream.Assignment) {
	s.owner.Assign(a)
	if a.Generation == 1 {
		close(s.assigned)
	}
}

func TestTLSAndSASLOverLoopback(t *testing.T) {
	cert, pool := certificate(t)
	kafka := streamtest.Start(t, streamtest.Topics(1, "requests"),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}),
		kfake.EnableSASL(), kfake.Superuser(stream.ScramSHA512, "reauth", "hunter2"))
	useAllOf(t, kafka.Client(t, func(c *stream.Config) {
		c.TLS = &tls.Config{RootCAs: pool}
		c.SASL = stream.SASL{Mechanism: stream.ScramSHA512, Username: "reauth", Password: "hunter2"}
	}))

	err := kafka.Client(t, func(c *stream.Config) {
		c.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
		c.SASL = stream.SASL{Mechanism: stream.ScramSHA512, Username: "reauth", Password: "hunter2"}
	}).Ping(t.Context())
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("a broker that nobody vouches for: %v", err)
	}
}

func TestSASLMechanisms(t *testing.T) {
	for _, mechanism := range []string{stream.Plain, stream.ScramSHA256, stream.ScramSHA512} {
		t.Run(mechanism, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kafka := streamtest.StartVirtual(t, streamtest.Topics(1, "requests"),
					kfake.EnableSASL(), kfake.Superuser(mechanism, "reauth", "hunter2"))
				var log bytes.Buffer
				secured := func(password stream.Secret) func(*stream.Config) {
					return func(c *stream.Config) {
						c.SASL = stream.SASL{Mechanism: mechanism, Username: "reauth", Password: password}
						c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					}
				}
				useAllOf(t, kafka.Client(t, secured("hunter2")))

				wrong := kafka.Client(t, secured("hunter3"))
				err := wrong.Ping(t.Context())
				if !errors.Is(err, kerrCode(kerr.SaslAuthenticationFailed)) {
					t.Errorf("a wrong password: %v", err)
				}
				member, _ := wrong.NewMember(stream.GroupConfig{Group: group, Topics: []string{"requests"}}, &owner{})
				if ended := member.Run(t.Context()); !errors.Is(ended, stream.ErrHopeless) {
					t.Errorf("membership with a wrong password: %v", ended)
				}
				synctest.Wait()
				if shown := log.String() + err.Error(); strings.Contains(shown, "hunter") {
					t.Errorf("a password is shown in %s", shown)
				}
			})
		})
	}
}

func TestBrokerThatAcceptsAndSaysNothingHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(1, "requests"),
			kfake.EnableSASL(), kfake.Superuser(stream.ScramSHA256, "reauth", "hunter2"))
		var dialed atomic.Int64
		client := kafka.Client(t, func(c *stream.Config) {
			c.SASL = stream.SASL{Mechanism: stream.ScramSHA256, Username: "reauth", Password: "hunter2"}
			dial := c.Dial
			c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if dialed.Add(1)%3 > 0 {
					return dial(ctx, network, address)
				}
				ours, theirs := net.Pipe()
				t.Cleanup(func() { _ = theirs.Close() })
				go func() {
					for {
						if _, err := theirs.Read(make([]byte, 1<<10)); err != nil {
							return
						}
					}
				}()
				return ours, nil
			}
		})
		began := time.Now()
		useAllOf(t, client)
		if took := time.Since(began); took > 3*time.Minute {
			t.Errorf("took %s", took)
		}
	})
}
