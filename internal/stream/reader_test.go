package stream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"reauth/internal/event"
	"reauth/internal/stream"
	"reauth/internal/stream/streamtest"
)

// reading is a topic of one partition with a client whose links can misbehave.
type reading struct {
	kafka    *streamtest.Cluster
	client   *stream.Client
	links    *links
	writer   *stream.Writer
	registry *prometheus.Registry
}

func startReading(t *testing.T) *reading {
	t.Helper()
	r := &reading{links: &links{}, registry: prometheus.NewRegistry()}
	r.kafka = streamtest.StartVirtual(t, streamtest.Topics(1, "requests"))
	r.client = r.kafka.Client(t, func(c *stream.Config) {
		c.Dial, c.Topics, c.Registerer = r.links.over(c.Dial), []string{"requests"}, r.registry
	})
	r.writer = newWriter(t, r.kafka.Client(t), stream.WriterConfig{})
	return r
}

// write writes n records, whose values are their numbers from first on.
func (r *reading) write(t *testing.T, first, n int) {
	t.Helper()
	for i := range n {
		record := event.Record{Topic: "requests", Key: []byte("k"), Value: fmt.Append(nil, first+i), Headers: []event.Header{{Key: "h", Value: []byte("v")}}}
		if err := r.writer.Write(t.Context(), record); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *reading) reader(t *testing.T, next int64) *stream.Reader {
	t.Helper()
	reader, err := r.client.NewReader("requests", 0, next)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	return reader
}

// expect fetches records and compares their offsets and values.
func expect(t *testing.T, reader *stream.Reader, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		record, err := reader.Fetch(t.Context())
		if err != nil || record.Offset != int64(i) || string(record.Value) != fmt.Sprint(i) {
			t.Fatalf("want record %d, got %d %q and %v", i, record.Offset, record.Value, err)
		}
	}
}

func TestReaderReadsInOrderFromWhereItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		r.write(t, 0, 20)
		expect(t, r.reader(t, stream.FirstOffset), 0, 20)
		r.kafka.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
			for _, topic := range request.(*kmsg.FetchRequest).Topics {
				if got := topic.Partitions[0].FetchOffset; got < 15 {
					t.Errorf("asked for offset %d", got)
				}
			}
			return nil, nil, false
		})
		reader := r.reader(t, 15)
		if got := reader.HighWater(); got != -1 {
			t.Errorf("high water before anything is known: %d", got)
		}
		record, err := reader.Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := event.Record{
			Topic: "requests", Offset: 15, Key: []byte("k"), Value: []byte("15"),
			Headers: []event.Header{{Key: "h", Value: []byte("v")}}, Time: record.Time,
		}
		if diff := cmp.Diff(want, record); diff != "" || record.Time.IsZero() {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := reader.HighWater(); got != 20 {
			t.Errorf("high water: %d", got)
		}
		if got, _ := sample(t, r.registry, `reauth_stream_records_read_total{topic="requests"}`); got != 21 {
			t.Errorf("%v records are counted as read", got)
		}
	})
}

func TestReaderAtTheEndWaitsForWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		reader := r.reader(t, 0)
		written := make(chan struct{})
		go func() {
			defer close(written)
			time.Sleep(time.Minute)
			r.write(t, 0, 1)
		}()
		began := time.Now()
		expect(t, reader, 0, 1)
		<-written
		if late := time.Since(began) - time.Minute; late > 100*time.Millisecond {
			t.Errorf("the record came %s late", late)
		}
	})
}

func TestCloseDoesNotWaitForTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		for i := range 10 { // at whatever moment of a fetch
			reader := r.reader(t, 0)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Duration(i)*33*time.Millisecond)
			_, _ = reader.Fetch(ctx)
			cancel()
			began := time.Now()
			_ = reader.Close()
			if took := time.Since(began); took > 0 {
				t.Errorf("closing took %s", took)
			}
		}
	})
}

func TestFetchEndsWithItsContextAndWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		reader := r.reader(t, 0)
		lost := errors.New("shard lost")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(lost) })
		if _, err := reader.Fetch(ctx); !errors.Is(err, lost) {
			t.Errorf("got %v", err)
		}

		// Also when the broker says nothing any more.
		r.links.freeze()
		fetched := make(chan error)
		go func() {
			_, err := reader.Fetch(t.Context())
			fetched <- err
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		began := time.Now()
		_ = reader.Close()
		if err := <-fetched; !errors.Is(err, stream.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("closing took %s", took)
		}
		r.links.heal()
	})
}

// The connection ends at the deadline as well, and whichever is first, it is no error of
// the broker's.
func TestFetchThatReachesItsDeadlineIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		reader := r.reader(t, 0)
		const fetches = 200
		for range fetches {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := reader.Fetch(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			cancel()
		}
		if n, _ := sample(t, r.registry, `reauth_stream_fetch_errors_total{topic="requests"}`); n != 0 {
			t.Errorf("%v of %d fetches are counted as errors", n, fetches)
		}
	})
}

func TestReaderTellsWhatRetentionTook(t *testing.T) {
	wantGap := func(t *testing.T, reader *stream.Reader, from, to int64) {
		t.Helper()
		_, err := reader.Fetch(t.Context())
		var gap *stream.GapError
		if !errors.As(err, &gap) {
			t.Fatalf("got %v", err)
		}
		if diff := cmp.Diff(&stream.GapError{Topic: "requests", From: from, To: to}, gap); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	remove := func(t *testing.T, r *reading, before int64) {
		t.Helper()
		if err := r.kafka.DeleteRecords("requests", 0, before); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("before it started", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := startReading(t)
			r.write(t, 0, 10)
			remove(t, r, 5)
			reader := r.reader(t, 2)
			wantGap(t, reader, 2, 5)
			expect(t, reader, 5, 5)
			if got, _ := sample(t, r.registry, `reauth_stream_records_lost_total{topic="requests"}`); got != 3 {
				t.Errorf("%v records are counted as lost", got)
			}
		})
	})
	t.Run("while it was cut off", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := startReading(t)
			r.write(t, 0, 3)
			reader := r.reader(t, 0)
			expect(t, reader, 0, 3)
			r.links.freeze()
			r.write(t, 3, 10)
			remove(t, r, 8)
			time.AfterFunc(time.Minute, r.links.heal)
			wantGap(t, reader, 3, 8)
			expect(t, reader, 8, 5)
		})
	})
	t.Run("while nobody fetched", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := startReading(t)
			r.write(t, 0, 3)
			reader := r.reader(t, 0)
			expect(t, reader, 0, 3)
			r.links.freeze()
			r.write(t, 3, 10)
			remove(t, r, 8)
			r.links.heal()
			time.Sleep(time.Minute)
			wantGap(t, reader, 3, 8)
			expect(t, reader, 8, 5)
		})
	})
	t.Run("down to the last", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := startReading(t)
			r.write(t, 0, 3)
			reader := r.reader(t, 0)
			expect(t, reader, 0, 3)
			r.links.freeze()
			r.write(t, 3, 10)
			remove(t, r, 13)
			time.AfterFunc(time.Minute, r.links.heal)
			wantGap(t, reader, 3, 13)
			r.write(t, 13, 1)
			expect(t, reader, 13, 1)
		})
	})
	t.Run("but not what a fresh reader never wanted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := startReading(t)
			r.write(t, 0, 10)
			remove(t, r, 5)
			expect(t, r.reader(t, stream.FirstOffset), 5, 5)
		})
	})
}

func TestPositionPastTheEndIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		r.write(t, 0, 10)
		if _, err := r.reader(t, 11).Fetch(t.Context()); !errors.Is(err, stream.ErrOffsetOutOfRange) {
			t.Errorf("got %v", err)
		}

		// While reading: the topic was created anew behind our back.
		reader := r.reader(t, 8)
		expect(t, reader, 8, 2)
		if err := errors.Join(r.kafka.DeleteTopic("requests"), r.kafka.CreateTopic("requests", 1, nil)); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Fetch(t.Context()); !errors.Is(err, stream.ErrOffsetOutOfRange) {
			t.Errorf("got %v", err)
		}
	})
}

func TestTransactionMarkerIsAPositionOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		upstream := r.transactions(t, "tx")
		upstream.begin(t, "0")
		upstream.end(t, kgo.TryCommit)
		r.write(t, 2, 1)

		reader := r.reader(t, 0)
		expect(t, reader, 0, 1)
		expectVoid(t, reader, 1)
		expect(t, reader, 2, 1)

		// One that is the end of the partition comes too, by itself.
		upstream.begin(t, "3")
		upstream.end(t, kgo.TryCommit)
		expect(t, reader, 3, 1)
		for _, from := range []*stream.Reader{reader, r.reader(t, 4)} {
			expectVoid(t, from, 4)
			if got := from.HighWater(); got != 5 {
				t.Errorf("high water at the end: %d", got)
			}
		}
	})
}

func TestRecordsOfAnAbortedTransactionArePositionsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		aborting, committing := r.transactions(t, "a"), r.transactions(t, "b")
		aborting.begin(t, "0")
		committing.begin(t, "1")
		r.write(t, 2, 1) // of no transaction
		aborting.write(t, "3")
		committing.end(t, kgo.TryCommit) // 4
		aborting.end(t, kgo.TryAbort)    // 5
		aborting.begin(t, "6")           // of the same producer, and meant
		aborting.end(t, kgo.TryCommit)   // 7
		r.write(t, 8, 1)

		for from := range 9 { // wherever it begins
			reader := r.reader(t, int64(from))
			for i := from; i < 9; i++ {
				switch i {
				case 0, 3, 4, 5, 7:
					expectVoid(t, reader, int64(i))
				default:
					expect(t, reader, i, 1)
				}
			}
		}
	})
}

func TestReaderWaitsForTheEndOfATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		r.write(t, 0, 1)
		upstream := r.transactions(t, "tx")
		upstream.begin(t, "1")
		r.write(t, 2, 1) // behind it

		reader := r.reader(t, 0)
		expect(t, reader, 0, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // it lasts for 40 s at most
		defer cancel()
		if record, err := reader.Fetch(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %d %q and %v while the transaction was open", record.Offset, record.Value, err)
		}
		if end, err := r.client.End(t.Context(), "requests", 0); err != nil || end != 1 || reader.HighWater() != 1 {
			t.Errorf("what can be read ends at %d, %v; high water %d", end, err, reader.HighWater())
		}
		upstream.end(t, kgo.TryAbort)
		expectVoid(t, reader, 1)
		expect(t, reader, 2, 1)
		expectVoid(t, reader, 3)
	})
}

// transactions is an upstream service that produces with transactions.
type transactions struct{ producer *kgo.Client }

func (r *reading) transactions(t *testing.T, id string) transactions {
	t.Helper()
	producer, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.ListenAddrs()...), kgo.Dialer(r.kafka.Config().Dial), kgo.TransactionalID(id))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	return transactions{producer}
}

// begin begins a transaction with a record of a value.
func (x transactions) begin(t *testing.T, value string) {
	t.Helper()
	if err := x.producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	x.write(t, value)
}

func (x transactions) write(t *testing.T, value string) {
	t.Helper()
	if err := x.producer.ProduceSync(t.Context(), &kgo.Record{Topic: "requests", Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func (x transactions) end(t *testing.T, how kgo.TransactionEndTry) {
	t.Helper()
	if err := x.producer.EndTransaction(t.Context(), how); err != nil {
		t.Fatal(err)
	}
}

// expectVoid fetches a position that has no record for us.
func expectVoid(t *testing.T, reader *stream.Reader, offset int64) {
	t.Helper()
	got, err := reader.Fetch(t.Context())
	if !errors.Is(err, stream.ErrControl) || got.Offset != offset || got.Key != nil || got.Value != nil || got.Headers != nil || got.Time.IsZero() {
		t.Fatalf("want position %d without content, got %+v and %v", offset, got, err)
	}
}

// Producers write microseconds and worse in the place of milliseconds. A time of the
// year 58000 has no form in JSON, which whoever keeps the record would find out.
func TestTimesThatCannotBeWrittenDownAreReadAsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		now := time.Now().Truncate(time.Millisecond)
		none := time.UnixMilli(-1)
		times := []struct{ written, read time.Time }{
			{now, now},
			{now.AddDate(5, 0, 0), now.AddDate(5, 0, 0)},
			{time.UnixMilli(1), time.UnixMilli(1)},
			{none, none},
			{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), none},
			{time.UnixMilli(now.UnixMicro()), none},
			{time.UnixMilli(now.UnixNano()), none},
			{time.UnixMilli(-now.UnixMicro()), none},
		}
		for _, c := range times {
			if err := r.writer.Write(t.Context(), event.Record{Topic: "requests", Value: []byte("v"), Time: c.written}); err != nil {
				t.Fatal(err)
			}
		}
		reader := r.reader(t, 0)
		for _, c := range times {
			rec, err := reader.Fetch(t.Context())
			if err != nil || !rec.Time.Equal(c.read) {
				t.Errorf("%v was read as %v (%v), want %v", c.written.UnixMilli(), rec.Time, err, c.read)
			}
			if _, err := json.Marshal(rec.Time); err != nil {
				t.Error(err)
			}
		}
	})
}

// wholeBytes tells nothing from no bytes, as cmp does, but does not look at the bytes
// of a large value one by one.
var wholeBytes = cmp.Comparer(func(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) })

func TestReaderReadsWhatOtherProducersWrite(t *testing.T) {
	for name, codec := range map[string]kgo.CompressionCodec{
		"plain": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := startReading(t)
				producer, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.ListenAddrs()...), kgo.Dialer(r.kafka.Config().Dial), kgo.ProducerBatchCompression(codec))
				if err != nil {
					t.Fatal(err)
				}
				defer producer.Close()
				large := make([]byte, 900<<10) // more than one answer is to hold
				_, _ = rand.NewChaCha8([32]byte{}).Read(large)
				at := time.Now().Truncate(time.Millisecond)
				var sent []*kgo.Record
				for i, v := range [][]byte{nil, {}, []byte("v"), large, []byte("last")} {
					sent = append(sent, &kgo.Record{Topic: "requests", Timestamp: at.Add(time.Duration(i) * time.Hour), Value: v})
				}
				sent[1].Key = []byte{}
				sent[2].Headers = []kgo.RecordHeader{{Key: "h", Value: []byte("1")}, {Key: "h"}, {Key: "", Value: []byte{}}}
				if err := producer.ProduceSync(t.Context(), sent...).FirstErr(); err != nil {
					t.Fatal(err)
				}
				reader := r.reader(t, 0)
				for i, s := range sent {
					got, err := reader.Fetch(t.Context())
					want := event.Record{Topic: "requests", Offset: int64(i), Time: s.Timestamp, Key: s.Key, Value: s.Value}
					for _, h := range s.Headers {
						want.Headers = append(want.Headers, event.Header{Key: h.Key, Value: h.Value})
					}
					if diff := cmp.Diff(want, got, wholeBytes); diff != "" || err != nil {
						t.Errorf("%v (-want +got):\n%.300s", err, diff)
					}
				}
			})
		})
	}
}

func TestReaderFollowsTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		r.write(t, 0, 5)
		reader := r.reader(t, 0)
		expect(t, reader, 0, 5)
		for i := range 5 {
			moveLeader(t, r.kafka, "requests")
			r.write(t, 5+i, 1)
			expect(t, reader, 5+i, 1)
		}
	})
}

func TestReaderLeavesALeaderThatDoesNotKnowItWasDeposed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		r.write(t, 0, 1)
		reader := r.reader(t, 0)
		expect(t, reader, 0, 1)
		old := r.kafka.LeaderFor("requests", 0)
		r.links.slow(50 * time.Millisecond) // its answers come at once, for ever
		lies := 0
		r.kafka.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
			r.kafka.KeepControl()
			if r.kafka.CurrentNode() != old {
				return nil, nil, false
			}
			lies++
			partition := kmsg.NewFetchResponseTopicPartition()
			partition.HighWatermark, partition.RecordBatches = 1, []byte{}
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.Partitions = "requests", append(topic.Partitions, partition)
			answer := request.ResponseKind().(*kmsg.FetchResponse)
			answer.Topics = append(answer.Topics, topic)
			return answer, nil, true
		})
		moved := make(chan struct{})
		go func() {
			defer close(moved)
			time.Sleep(time.Second) // it is asking there now
			moveLeader(t, r.kafka, "requests")
			r.write(t, 1, 1)
		}()
		expect(t, reader, 1, 1)
		<-moved
		if lies == 0 || lies > 100 {
			t.Errorf("it was asked %d times: the test shows nothing, or it was asked without a pause", lies)
		}
	})
}

func TestReaderPastTheEndForAMomentGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		r.write(t, 0, 10)
		reader := r.reader(t, 0)
		expect(t, reader, 0, 10)
		// As after an election, when the new leader is not up to date yet.
		if err := errors.Join(r.kafka.DeleteTopic("requests"), r.kafka.CreateTopic("requests", 1, nil)); err != nil {
			t.Fatal(err)
		}
		r.links.cut()
		written := make(chan struct{})
		go func() {
			defer close(written)
			time.Sleep(2 * time.Second)
			r.write(t, 0, 12)
		}()
		began := time.Now()
		expect(t, reader, 10, 2)
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("it took %s", took)
		}
		<-written
	})
}

func TestReaderWithoutRightsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		r.write(t, 0, 1)
		r.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed, Count: -1})
		if _, err := r.reader(t, 0).Fetch(t.Context()); !errors.Is(err, kerrCode(kerr.TopicAuthorizationFailed)) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOffsetsOfAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		began := time.Now()
		for i := range 6 {
			r.write(t, i, 1)
			time.Sleep(time.Hour)
		}
		if err := r.kafka.DeleteRecords("requests", 0, 2); err != nil {
			t.Fatal(err)
		}
		if _, err := r.client.End(t.Context(), "requests", 0); err != nil {
			t.Fatal(err)
		}
		moveLeader(t, r.kafka, "requests") // what the client knows is old now
		for name, tt := range map[string]struct {
			look func() (int64, error)
			want int64
		}{
			"first": {func() (int64, error) { return r.client.First(t.Context(), "requests", 0) }, 2},
			"end":   {func() (int64, error) { return r.client.End(t.Context(), "requests", 0) }, 6},
			"two hours back": {func() (int64, error) {
				return r.client.OffsetAt(t.Context(), "requests", 0, began.Add(3*time.Hour+time.Minute))
			}, 4},
			"before the first": {func() (int64, error) { return r.client.OffsetAt(t.Context(), "requests", 0, began.Add(-time.Hour)) }, 2},
			"after the last":   {func() (int64, error) { return r.client.OffsetAt(t.Context(), "requests", 0, time.Now()) }, 6},
		} {
			if got, err := tt.look(); err != nil || got != tt.want {
				t.Errorf("%s: got %d and %v, want %d", name, got, err, tt.want)
			}
		}
		if _, err := r.client.End(t.Context(), "requests", 7); !errors.Is(err, kerrCode(kerr.UnknownTopicOrPartition)) {
			t.Errorf("a partition that is not there: %v", err)
		}
	})
}

func TestNothingIsWrittenBeforeThePositionOfATime(t *testing.T) {
	const endOf = -1 // as a timestamp
	for name, late := range map[string]func(timestamp int64) bool{
		"end":  func(timestamp int64) bool { return timestamp == endOf },
		"time": func(timestamp int64) bool { return timestamp != endOf },
	} {
		t.Run("a record comes before the answer about the "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := startReading(t)
				r.kafka.ControlKey(int16(kmsg.ListOffsets), func(request kmsg.Request) (kmsg.Response, error, bool) {
					if !late(request.(*kmsg.ListOffsetsRequest).Topics[0].Partitions[0].Timestamp) {
						return nil, nil, false
					}
					r.kafka.DropControl()
					r.kafka.SleepControl(func() {
						time.Sleep(time.Second) // the other question is answered
						r.write(t, 0, 1)
					})
					return nil, nil, false
				})
				if got, err := r.client.OffsetAt(t.Context(), "requests", 0, time.Now().Add(-time.Hour)); err != nil || got != 0 {
					t.Errorf("got %d and %v, but there is a record at 0", got, err)
				}
			})
		})
	}
}

func TestCommittedOffsetsAreThoseOfTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		eventually(t, []*owner{a}, settled(6, a))
		a.finish(4, 17)
		time.Sleep(2 * time.Second)
		got, err := kafka.Client(t).CommittedOffsets(t.Context(), group, topics...)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]map[int]int64{"requests": {4: 17}, "priority": {}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := a.client.CommittedOffsets(t.Context(), group, "nowhere"); !errors.Is(err, stream.ErrUnknownTopic) {
			t.Errorf("got %v", err)
		}
	})
}

func moveLeader(t *testing.T, kafka *streamtest.Cluster, topic string) {
	t.Helper()
	if err := kafka.MoveTopicPartition(topic, 0, (kafka.LeaderFor(topic, 0)+1)%3); err != nil {
		t.Fatal(err)
	}
}
