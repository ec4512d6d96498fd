package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"reauth/internal/event"
	"reauth/internal/stream"
	"reauth/internal/stream/streamtest"
)

func newWriter(t *testing.T, client *stream.Client, config stream.WriterConfig) *stream.Writer {
	t.Helper()
	writer := client.NewWriter(config)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := writer.Close(ctx); err != nil {
			t.Errorf("closing the writer: %v", err)
		}
	})
	return writer
}

// stored returns what a partition holds, read with another client than ours.
func stored(t *testing.T, kafka *streamtest.Cluster, topic string, partition int32) []*kgo.Record {
	t.Helper()
	offsets := map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.Dialer(kafka.Config().Dial), kgo.ConsumePartitions(offsets))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var records []*kgo.Record
	for end := kafka.PartitionInfo(topic, partition).HighWatermark; int64(len(records)) < end; {
		records = append(records, client.PollFetches(t.Context()).Records()...)
	}
	return records
}

func values(records []*kgo.Record) []string {
	var all []string
	for _, record := range records {
		all = append(all, string(record.Value))
	}
	slices.Sort(all)
	return all
}

func TestRecordIsWrittenAsItIsWhereItBelongs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(4, "results", "dead"))
		acks := make(chan int16, 10)
		kafka.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
			kafka.KeepControl()
			acks <- request.(*kmsg.ProduceRequest).Acks
			return nil, nil, false
		})
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
		at := time.Date(2026, 11, 22, 12, 30, 0, int(5*time.Millisecond), time.UTC)

		began := time.Now()
		err := writer.Write(t.Context(),
			event.Record{Topic: "results", Partition: 3, Key: []byte("k"), Value: []byte("v"), Headers: []event.Header{{Key: "ce_id", Value: []byte("1")}}, Time: at},
			event.Record{Topic: "dead", Partition: 1, Value: []byte{}},
		)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 10*time.Millisecond {
			t.Errorf("took %s", took)
		}
		want := &kgo.Record{
			Topic: "results", Partition: 3, Key: []byte("k"), Value: []byte("v"), Timestamp: at,
			Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte("1")}},
		}
		only := cmpopts.IgnoreFields(kgo.Record{}, "Attrs", "ProducerEpoch", "ProducerID", "LeaderEpoch", "Context")
		if diff := cmp.Diff([]*kgo.Record{want}, stored(t, kafka, "results", 3), only, cmpopts.IgnoreUnexported(kgo.Record{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		dead := stored(t, kafka, "dead", 1)
		if len(dead) != 1 || dead[0].Key != nil || dead[0].Value == nil || dead[0].Timestamp.IsZero() {
			t.Errorf("a record without key, time or bytes became %+v", dead)
		}
		for asked := true; asked; asked = len(acks) > 0 { // once of each leader
			if got := <-acks; got != -1 {
				t.Errorf("asked for %d acknowledgements, want all", got)
			}
		}
	})
}

func TestKeyChoosesThePartitionAsInJava(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(7, "ours", "java"))
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
		// franz-go's default is checked against the Java client.
		java, err := kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.Dialer(kafka.Config().Dial))
		if err != nil {
			t.Fatal(err)
		}
		defer java.Close()
		for i := range 40 {
			key := fmt.Appendf(nil, "request-%d-ü", i*i)
			if err := writer.Write(t.Context(), event.Record{Topic: "ours", Partition: stream.ByKey, Key: key, Value: key}); err != nil {
				t.Fatal(err)
			}
			if err := java.ProduceSync(t.Context(), &kgo.Record{Topic: "java", Key: key, Value: key}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		for partition := range int32(7) {
			if diff := cmp.Diff(values(stored(t, kafka, "java", partition)), values(stored(t, kafka, "ours", partition))); diff != "" {
				t.Errorf("partition %d (-java +ours):\n%s", partition, diff)
			}
		}
	})
}

func TestWriteGoesOnUntilItIsThere(t *testing.T) {
	for name, disturb := range map[string]func(t *testing.T, kafka *streamtest.Cluster){
		"the leader has moved":         func(t *testing.T, kafka *streamtest.Cluster) { moveLeader(t, kafka, "results") },
		"the new leader is not known":  faultProduce(kerr.NotLeaderForPartition, 20),
		"a replica is missing":         faultProduce(kerr.NotEnoughReplicas, 20),
		"an error that nobody expects": faultProduce(kerr.UnknownServerError, 5),
		"the broker hangs up": func(_ *testing.T, kafka *streamtest.Cluster) {
			left := 5
			kafka.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
				kafka.KeepControl()
				if left--; left == 0 {
					kafka.DropControl()
				}
				return nil, errors.New("hang up"), true
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kafka := streamtest.StartVirtual(t, streamtest.Topics(1, "results"))
				registry := prometheus.NewRegistry()
				writer := newWriter(t, kafka.Client(t, func(c *stream.Config) { c.Registerer, c.Topics = registry, []string{"results"} }), stream.WriterConfig{})
				if err := writer.Write(t.Context(), event.Record{Topic: "results", Value: []byte("first")}); err != nil {
					t.Fatal(err)
				}
				disturb(t, kafka)
				if err := writer.Write(t.Context(), event.Record{Topic: "results", Value: []byte("second")}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]string{"first", "second"}, values(stored(t, kafka, "results", 0))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if got, _ := sample(t, registry, `reauth_stream_records_written_total{topic="results"}`); got != 2 {
					t.Errorf("%v records are counted as written", got)
				}
			})
		})
	}
}

func faultProduce(err *kerr.Error, times int) func(*testing.T, *streamtest.Cluster) {
	return func(_ *testing.T, kafka *streamtest.Cluster) {
		kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: times})
	}
}

func TestOnlyWhatFailedIsWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(2, "results"))
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
		kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "results", Partitions: []int32{1}, Err: kerr.NotLeaderForPartition, Count: 10})
		err := writer.Write(t.Context(),
			event.Record{Topic: "results", Partition: 0, Value: []byte("fine")},
			event.Record{Topic: "results", Partition: 1, Value: []byte("failing")},
		)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"fine"}, values(stored(t, kafka, "results", 0))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"failing"}, values(stored(t, kafka, "results", 1))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTooLargeIsFoundOutOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t)
		small := "10000"
		if err := kafka.CreateTopic("results", 1, map[string]string{"max.message.bytes": small}); err != nil {
			t.Fatal(err)
		}
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
		// Each is small enough, but they share batches that are not.
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				if err := writer.Write(t.Context(), event.Record{Topic: "results", Value: bytes.Repeat([]byte("v"), 2000)}); err != nil {
					t.Errorf("a small record: %v", err)
				}
			})
		}
		wg.Go(func() {
			err := writer.Write(t.Context(), event.Record{Topic: "results", Partition: stream.ByKey, Key: []byte("k"), Value: bytes.Repeat([]byte("v"), 20000)})
			if !errors.Is(err, stream.ErrTooLarge) {
				t.Errorf("a large record: %v", err)
			}
		})
		wg.Wait()
		if n := len(stored(t, kafka, "results", 0)); n != 30 {
			t.Errorf("%d records were written", n)
		}
	})
}

func TestTheTopicSaysWhatIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(1, "results"))
		large := strconv.Itoa(4 << 20)
		if err := kafka.CreateTopic("dead", 1, map[string]string{"max.message.bytes": large}); err != nil {
			t.Fatal(err)
		}
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{MaxBytes: 1 << 20})
		record := event.Record{Topic: "dead", Value: make([]byte, 3<<20)}
		if err := writer.Write(t.Context(), event.Record{Topic: "dead"}, record); err != nil {
			t.Errorf("a record that the topic takes: %v", err)
		}
		record.Topic = "results"
		if err := writer.Write(t.Context(), record); !errors.Is(err, stream.ErrTooLarge) {
			t.Errorf("a record that the topic does not take: %v", err)
		}
	})
}

func TestRefusedWriteEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(1, "results"))
		kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: -1})
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
		began := time.Now()
		err := writer.Write(t.Context(), event.Record{Topic: "results"})
		if !errors.Is(err, kerrCode(kerr.TopicAuthorizationFailed)) || time.Since(began) > time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if err := writer.Write(t.Context(), event.Record{Partition: -7}); err == nil {
			t.Error("wrote to no topic")
		}
	})
}

func TestWriteEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(1, "results"))
		kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
		stopping := errors.New("stopping")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(stopping) })
		began := time.Now()
		err := writer.Write(ctx, event.Record{Topic: "results"})
		if !errors.Is(err, stopping) || time.Since(began) != time.Minute {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestCloseWaitsForWritesAsLongAsItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(1, "results"))
		client := kafka.Client(t)
		away := func(d time.Duration) {
			fault := kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
			time.AfterFunc(d, fault.Remove)
		}
		for name, tt := range map[string]struct {
			away, patience time.Duration
			want           error
		}{
			"a short outage": {5 * time.Second, 30 * time.Second, nil},
			"a long outage":  {time.Hour, 30 * time.Second, stream.ErrClosed},
		} {
			writer := client.NewWriter(stream.WriterConfig{})
			away(tt.away)
			written := make(chan error, 1)
			go func() { written <- writer.Write(t.Context(), event.Record{Topic: "results"}) }()
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
			began := time.Now()
			_ = writer.Close(ctx)
			if took := time.Since(began); took > tt.patience+time.Second {
				t.Errorf("%s: closing took %s", name, took)
			}
			if err := <-written; !errors.Is(err, tt.want) {
				t.Errorf("%s: the write ended with %v", name, err)
			}
			if err := writer.Write(t.Context(), event.Record{Topic: "results"}); !errors.Is(err, stream.ErrClosed) {
				t.Errorf("%s: a write after Close: %v", name, err)
			}
			cancel()
			time.Sleep(tt.away)
		}
	})
}
