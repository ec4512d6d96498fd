package stream_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"reauth/internal/event"
)

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
