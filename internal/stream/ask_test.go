package stream_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"reauth/internal/stream/streamtest"
)

// ask sends a request over another client than ours.
func ask(t *testing.T, kafka *streamtest.Cluster, request kmsg.Request) (kmsg.Response, error) {
	t.Helper()
	options := []kgo.Opt{kgo.SeedBrokers(kafka.ListenAddrs()...)}
	if dial := kafka.Config().Dial; dial != nil {
		options = append(options, kgo.Dialer(dial))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	return client.Request(t.Context(), request)
}
