package stream

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go/protocol"
	"pgregory.net/rapid"

	"reauth/internal/event"
)

// TestBatchIsThatOfKafkaGo compares with kafka-go's encoder, which numbers nothing.
func TestBatchIsThatOfKafkaGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.OneOf(rapid.Just[[]byte](nil), rapid.SliceOfN(rapid.Byte(), 0, 200))
		header := rapid.Custom(func(t *rapid.T) event.Header {
			return event.Header{Key: rapid.String().Draw(t, "name"), Value: some.Draw(t, "value")}
		})
		record := rapid.Custom(func(t *rapid.T) event.Record {
			return event.Record{
				Key: some.Draw(t, "key"), Value: some.Draw(t, "value"),
				Headers: rapid.SliceOfN(header, 0, 3).Draw(t, "headers"),
				Time:    time.UnixMilli(rapid.Int64Range(1, 1<<42).Draw(t, "time")),
			}
		})
		records := rapid.SliceOfN(record, 1, 70).Draw(t, "records")

		var theirs []protocol.Record
		o := outbox{batch: &batch{}, epoch: 3, sequence: 17}
		for _, r := range records {
			l := newLetter(r)
			o.batch.letters = append(o.batch.letters, &l)
			their := protocol.Record{Time: r.Time, Key: bytesOf(r.Key), Value: bytesOf(r.Value)}
			for _, h := range r.Headers {
				their.Headers = append(their.Headers, protocol.Header{Key: h.Key, Value: h.Value})
			}
			theirs = append(theirs, their)
		}
		var want bytes.Buffer
		set := protocol.RecordSet{Version: 2, Records: protocol.NewRecordReader(theirs...)}
		if _, err := set.WriteTo(&want); err != nil {
			t.Fatal(err)
		}

		o.encode(unnumbered)
		if diff := cmp.Diff(want.Bytes(), o.batch.raw); diff != "" {
			t.Fatalf("(-kafka-go +ours):\n%s", diff)
		}
		if size := o.batch.size(); size < len(o.batch.raw) {
			t.Errorf("%d bytes, and the size is said to be %d", len(o.batch.raw), size)
		}

		o.batch.raw = nil
		o.encode(5)
		numbered := o.batch.raw[4+43:]
		if id, epoch, sequence := binary.BigEndian.Uint64(numbered), binary.BigEndian.Uint16(numbered[8:]), binary.BigEndian.Uint32(numbered[10:]); id != 5 || epoch != 3 || sequence != 17 {
			t.Errorf("numbered %d, %d, %d; want 5, 3, 17", id, epoch, sequence)
		}
		var read protocol.RecordSet // it checks the CRC
		if _, err := read.ReadFrom(bytes.NewReader(o.batch.raw)); err != nil {
			t.Errorf("reading the numbered batch: %v", err)
		}
	})
}

// bytesOf keeps the difference between nothing and no bytes.
func bytesOf(b []byte) protocol.Bytes {
	if b == nil {
		return nil
	}
	return protocol.NewBytes(b)
}
