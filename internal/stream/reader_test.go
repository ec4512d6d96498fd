package stream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
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
