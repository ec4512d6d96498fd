package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"reauth/internal/event"
	"reauth/internal/stream"
	"reauth/internal/stream/streamtest"
)

// loseAnswers has brokers take the next n produce requests and say something
// else instead of that they did.
func loseAnswers(kafka *streamtest.Cluster, n int) {
	kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: n})
}

func TestLostAcknowledgementWritesNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(2, "results", "ledger"))
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
		var want []string
		for round := range 5 {
			loseAnswers(kafka, 4)
			var wg sync.WaitGroup
			for i := range 10 {
				value := fmt.Sprintf("%d-%d", round, i)
				want = append(want, value)
				wg.Go(func() {
					if err := writer.Write(t.Context(),
						event.Record{Topic: "results", Partition: i % 2, Value: []byte(value)},
						event.Record{Topic: "ledger", Partition: i % 2, Value: []byte(value)}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		slices.Sort(want)
		for _, topic := range []string{"results", "ledger"} {
			got := slices.Sorted(slices.Values(slices.Concat(values(stored(t, kafka, topic, 0)), values(stored(t, kafka, topic, 1)))))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", topic, diff)
			}
		}
	})
}

func TestWritesShareARequestToEachBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, kfake.NumBrokers(3), streamtest.Topics(12, "results", "ledger"))
		var requests, records int
		var mu sync.Mutex
		kafka.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
			kafka.KeepControl()
			mu.Lock()
			defer mu.Unlock()
			requests++
			for _, topic := range request.(*kmsg.ProduceRequest).Topics {
				records += len(topic.Partitions)
			}
			return nil, nil, false
		})
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
		if err := writer.Write(t.Context(), event.Record{Topic: "results", Value: []byte("first")}); err != nil {
			t.Fatal(err) // what comes within BatchWait of it waits for the rest
		}
		requests, records = 0, 0
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				if err := writer.Write(t.Context(), event.Record{Topic: []string{"results", "ledger"}[i%2], Partition: i / 2, Value: []byte("v")}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if requests != 3 || records != 24 {
			t.Errorf("%d requests with %d batches, want 3 with 24", requests, records)
		}
	})
}

func TestGivenUpRecordCannotAppearBehindALaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(1, "ledger"))
		// The first request reaches the broker only after the second.
		var late *kmsg.ProduceRequest
		kafka.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
			late = request.(*kmsg.ProduceRequest)
			return nil, errors.New("hang up"), true
		})
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
		allowed := true
		lapsed := errors.New("no more")
		err := writer.WriteWhile(t.Context(), func() error {
			if !allowed {
				return lapsed
			}
			allowed = false
			return nil
		}, event.Record{Topic: "ledger", Value: []byte("given up")})
		if !errors.Is(err, lapsed) {
			t.Fatalf("the first write ended with %v", err)
		}
		if err := writer.Write(t.Context(), event.Record{Topic: "ledger", Value: []byte("later")}); err != nil {
			t.Fatal(err)
		}
		answer := produce(t, kafka, late)
		if code := answer.Topics[0].Partitions[0].ErrorCode; code != kerr.InvalidProducerEpoch.Code {
			t.Errorf("the late request was answered with %d", code)
		}
		if diff := cmp.Diff([]string{"later"}, values(stored(t, kafka, "ledger", 0))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestOneLapsedLeaveEndsOneWriteOfAFailedBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(1, "ledger"))
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
		if err := writer.Write(t.Context(), event.Record{Topic: "ledger", Value: []byte("first")}); err != nil {
			t.Fatal(err) // what comes within BatchWait of it shares a batch
		}
		kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: 3})
		lapsed := errors.New("no more")
		var wg sync.WaitGroup
		for i := range 5 {
			tries := 0
			may := func() error {
				if tries++; i == 2 && tries > 2 {
					return lapsed
				}
				return nil
			}
			wg.Go(func() {
				err := writer.WriteWhile(t.Context(), may, event.Record{Topic: "ledger", Key: []byte("k"), Value: fmt.Append(nil, i)})
				if i == 2 != errors.Is(err, lapsed) {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if diff := cmp.Diff([]string{"0", "1", "3", "4", "first"}, values(stored(t, kafka, "ledger", 0))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestForgottenProducerGoesOn(t *testing.T) {
	for name, code := range map[string]*kerr.Error{
		"out of order": kerr.OutOfOrderSequenceNumber, "unknown": kerr.UnknownProducerID, "epoch": kerr.InvalidProducerEpoch,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kafka := streamtest.StartVirtual(t, streamtest.Topics(1, "results"))
				writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
				for i := range 4 {
					if i == 2 {
						kafka.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
							return refusal(request.(*kmsg.ProduceRequest), code), nil, true
						})
					}
					if err := writer.Write(t.Context(), event.Record{Topic: "results", Value: fmt.Append(nil, i)}); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff([]string{"0", "1", "2", "3"}, values(stored(t, kafka, "results", 0))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWhoMayHaveNoNumberWritesWithout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(1, "results"))
		kafka.ControlKey(int16(kmsg.InitProducerID), func(request kmsg.Request) (kmsg.Response, error, bool) {
			kafka.KeepControl()
			answer := request.ResponseKind().(*kmsg.InitProducerIDResponse)
			answer.ErrorCode = kerr.ClusterAuthorizationFailed.Code
			return answer, nil, true
		})
		var log bytes.Buffer // of one goroutine at a time: slog's handlers lock
		writer := newWriter(t, kafka.Client(t, func(c *stream.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }), stream.WriterConfig{})
		for i := range 3 {
			if err := writer.Write(t.Context(), event.Record{Topic: "results", Value: fmt.Append(nil, i)}); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"0", "1", "2"}, values(stored(t, kafka, "results", 0))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		synctest.Wait()
		if n := strings.Count(log.String(), "no producer id"); n != 1 {
			t.Errorf("it is said %d times", n)
		}
	})
}

// TestNothingIsLostOrTwiceWhateverHappensToRequests writes under random faults:
// requests that do not arrive, answers that do not, leaders that move.
func TestNothingIsLostOrTwiceWhateverHappensToRequests(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			kafka := streamtest.StartVirtual(t, kfake.NumBrokers(3), streamtest.Topics(3, "results"))
			writer := newWriter(t, kafka.Client(t), stream.WriterConfig{TryTimeout: 2 * time.Second})
			var want []string
			var wg sync.WaitGroup
			wg.Go(func() { disturbAtRandom(kafka, seed) })
			for i := range 200 {
				want = append(want, fmt.Sprintf("%03d", i))
				wg.Go(func() {
					time.Sleep(time.Duration(i) * 20 * time.Millisecond)
					if err := writer.Write(t.Context(), event.Record{Topic: "results", Partition: i % 3, Value: fmt.Appendf(nil, "%03d", i)}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			var got []string
			for p := range int32(3) {
				got = append(got, values(stored(t, kafka, "results", p))...)
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("seed %d (-want +got):\n%s", seed, diff)
			}
		})
	}
}

// disturbAtRandom makes requests fail in every way for a while.
func disturbAtRandom(kafka *streamtest.Cluster, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	for range 30 {
		switch random.IntN(4) {
		case 0:
			loseAnswers(kafka, 1+random.IntN(5))
		case 1:
			kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: 1 + random.IntN(5)})
		case 2:
			kafka.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, errors.New("hang up"), true })
		case 3:
			_ = kafka.MoveTopicPartition("results", random.Int32N(3), random.Int32N(3))
		}
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
	}
}

// produce sends a request as it is and returns the answer.
func produce(t *testing.T, kafka *streamtest.Cluster, request *kmsg.ProduceRequest) *kmsg.ProduceResponse {
	t.Helper()
	// Newer versions name topics by their ids.
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.Dialer(kafka.Config().Dial), kgo.MaxVersions(kversion.V2_8_0()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	leader := kafka.LeaderFor(request.Topics[0].Topic, request.Topics[0].Partitions[0].Partition)
	answer, err := request.RequestWith(t.Context(), client.Broker(int(leader)))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// refusal answers a request with an error for each of its batches.
func refusal(request *kmsg.ProduceRequest, code *kerr.Error) *kmsg.ProduceResponse {
	answer := request.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range request.Topics {
		to := kmsg.NewProduceResponseTopic()
		to.Topic = topic.Topic
		for _, partition := range topic.Partitions {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode = partition.Partition, code.Code
			to.Partitions = append(to.Partitions, p)
		}
		answer.Topics = append(answer.Topics, to)
	}
	return answer
}
