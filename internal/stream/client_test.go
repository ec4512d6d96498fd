package stream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"reauth/internal/stream"
	"reauth/internal/stream/streamtest"
)

// openClosed opens a client that closes with the test.
func openClosed(t *testing.T, config stream.Config) *stream.Client {
	t.Helper()
	client, err := stream.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestOpenReportsEveryFaultAtOnce(t *testing.T) {
	_, err := stream.Open(stream.Config{
		Brokers: []string{"one:9092", "two"},
		Timeout: -time.Second,
		SASL:    stream.SASL{Mechanism: "GSSAPI", Password: "hunter2"},
	})
	if err == nil {
		t.Fatal("opened")
	}
	for _, part := range []string{`"two" is not host:port`, "-1s is negative", `"GSSAPI" is not one of`, "needs a username"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%q shows the password", err)
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	sasl := stream.SASL{Mechanism: stream.Plain, Username: "reauth", Password: "hunter2"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "sasl", sasl, "password", sasl.Password)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "sasl", sasl, "password", sasl.Password)
	encoded, err := json.Marshal(sasl)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{log.String(), string(encoded), sasl.Password.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		shown = append(shown, fmt.Sprintf(verb, sasl), fmt.Sprintf(verb, sasl.Password))
	}
	for _, s := range shown {
		if strings.Contains(s, "hunter2") || strings.Contains(s, "68756e74657232") {
			t.Errorf("%q shows the password", s)
		}
	}
	if sasl.Password.Reveal() != "hunter2" {
		t.Error("Reveal does not give the password back")
	}
}

func TestPingFindsOneBrokerBehindOthersThatSayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t)
		config := kafka.Config()
		real := config.Dial
		config.Brokers = append([]string{"blackhole:9092", "mute:9092"}, config.Brokers...)
		config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			switch address {
			case "blackhole:9092":
				<-ctx.Done()
				return nil, ctx.Err()
			case "mute:9092":
				ours, theirs := net.Pipe()
				t.Cleanup(func() { _ = theirs.Close() })
				go func() { _, _ = theirs.Read(make([]byte, 1<<10)) }()
				return ours, nil
			}
			return real(ctx, network, address)
		}
		client := openClosed(t, config)

		began := time.Now()
		if err := client.Ping(t.Context()); err != nil {
			t.Errorf("got %v", err)
		}
		// 3 s to connect to the first, 10 s for the second to answer.
		if took := time.Since(began); took > 14*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestPingTellsWhatAnOldOrNewBrokerLacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := streamtest.StartVirtual(t, kfake.MaxVersions(kversion.V0_10_0()))
		err := old.Client(t).Ping(t.Context())
		if err == nil || !strings.Contains(err.Error(), "too old") || !strings.Contains(err.Error(), "Fetch") {
			t.Errorf("old broker: got %v", err)
		}

		future := streamtest.StartVirtual(t)
		future.ControlKey(int16(kmsg.ApiVersions), func(request kmsg.Request) (kmsg.Response, error, bool) {
			future.KeepControl()
			answer := request.ResponseKind().(*kmsg.ApiVersionsResponse)
			for key := range int16(75) {
				answer.ApiKeys = append(answer.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MaxVersion: 20})
			}
			answer.ApiKeys[kmsg.JoinGroup].MinVersion = 3
			return answer, nil, true
		})
		err = future.Client(t).Ping(t.Context())
		if err == nil || !strings.Contains(err.Error(), "too new") || !strings.Contains(err.Error(), "JoinGroup versions 3 to 20") {
			t.Errorf("new broker: got %v", err)
		}
	})
}

func TestPingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := openClosed(t, stream.Config{
			Brokers: []string{"a:1", "b:1"},
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := client.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMetricsAreBornAtZeroAndWellNamed(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	openClosed(t, stream.Config{Brokers: []string{"a:1"}, Topics: []string{"requests"}, Registerer: registry})
	faults, err := testutil.GatherAndLint(registry)
	if err != nil || len(faults) > 0 {
		t.Errorf("got %v and %v", faults, err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "reauth_") {
			t.Errorf("%s has no prefix", family.GetName())
		}
	}
	if n := len(families); n != 13 {
		t.Errorf("%d metrics are there from the start", n)
	}
}
