package stream

import (
	"encoding/binary"
	"hash/crc32"
	"math"

	"reauth/internal/event"
)

// A batch on the wire is a record batch of version 2 (magic 2, Kafka 0.11 and
// newer), uncompressed, behind the length of all. kafka-go's encoder (v0.4.51)
// makes readers of keys and values, and copies what it has encoded once more.

// Where the fields are that are known last.
const (
	setLength   = 0
	batchLength = 4 + 8
	crcField    = 4 + 17
	crcFrom     = 4 + 21
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode encodes and numbers the batch, unless it was before.
func (o *outbox) encode(producer int64) {
	if o.batch.raw != nil {
		return
	}
	epoch, sequence := o.epoch, o.sequence
	if producer == unnumbered || epoch == unnumbered {
		producer, epoch, sequence = unnumbered, unnumbered, unnumbered
	}
	letters := o.batch.letters
	first := letters[0].record.Time.UnixMilli()
	latest := first
	for _, l := range letters {
		latest = max(latest, l.record.Time.UnixMilli())
	}
	last := len(letters) - 1

	b := make([]byte, 0, o.batch.size())
	b = binary.BigEndian.AppendUint32(b, 0)              // the length of all
	b = binary.BigEndian.AppendUint64(b, 0)              // the first offset, for the leader to set
	b = binary.BigEndian.AppendUint32(b, 0)              // the length of what follows
	b = binary.BigEndian.AppendUint32(b, math.MaxUint32) // no epoch of a leader
	b = append(b, 2)                                     // magic
	b = binary.BigEndian.AppendUint32(b, 0)              // CRC-32C of what follows
	b = binary.BigEndian.AppendUint16(b, 0)              // attributes
	b = binary.BigEndian.AppendUint32(b, uint32(last))
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	b = binary.BigEndian.AppendUint64(b, uint64(latest))
	b = binary.BigEndian.AppendUint64(b, uint64(producer))
	b = binary.BigEndian.AppendUint16(b, uint16(epoch))
	b = binary.BigEndian.AppendUint32(b, uint32(sequence))
	b = binary.BigEndian.AppendUint32(b, uint32(len(letters)))
	for i, l := range letters {
		b = appendRecord(b, l.record, l.record.Time.UnixMilli()-first, i)
	}
	binary.BigEndian.PutUint32(b[setLength:], uint32(len(b)-setLength-4))
	binary.BigEndian.PutUint32(b[batchLength:], uint32(len(b)-batchLength-4))
	binary.BigEndian.PutUint32(b[crcField:], crc32.Checksum(b[crcFrom:], castagnoli))
	o.batch.raw = b
}

// appendRecord appends a record to its batch, whose first has the number 0 and is
// so many milliseconds older.
func appendRecord(b []byte, r event.Record, after int64, number int) []byte {
	size := 1 + varintSize(after) + varintSize(int64(number)) + bytesSize(r.Key) + bytesSize(r.Value) + varintSize(int64(len(r.Headers)))
	for _, h := range r.Headers {
		size += varintSize(int64(len(h.Key))) + len(h.Key) + bytesSize(h.Value)
	}
	b = binary.AppendVarint(b, int64(size))
	b = append(b, 0) // attributes
	b = binary.AppendVarint(b, after)
	b = binary.AppendVarint(b, int64(number))
	b = appendBytes(b, r.Key)
	b = appendBytes(b, r.Value)
	b = binary.AppendVarint(b, int64(len(r.Headers)))
	for _, h := range r.Headers {
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendBytes(b, h.Value)
	}
	return b
}

// appendBytes keeps the difference between nothing and no bytes.
func appendBytes(b, bytes []byte) []byte {
	if bytes == nil {
		return binary.AppendVarint(b, -1)
	}
	return append(binary.AppendVarint(b, int64(len(bytes))), bytes...)
}

func bytesSize(bytes []byte) int {
	if bytes == nil {
		return varintSize(-1)
	}
	return varintSize(int64(len(bytes))) + len(bytes)
}

// varintSize returns how many bytes a number takes, in zigzag.
func varintSize(n int64) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutVarint(b[:], n)
}
