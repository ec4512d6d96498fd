package storage

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"
)

// TestFillKeepsEveryByte fills from sources that read in all kinds of pieces and
// lets sizes fall on and beside the ends of chunks.
func TestFillKeepsEveryByte(t *testing.T) {
	m := newMemory(16*chunkSize, newMetrics())
	defer m.close()
	sources := map[string]func(io.Reader) io.Reader{
		"whole":       func(r io.Reader) io.Reader { return r },
		"half":        iotest.HalfReader,
		"end at once": iotest.DataErrReader,
	}
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int64Range(0, 4).Draw(rt, "chunks")*chunkSize + rapid.Int64Range(-2, 2).Draw(rt, "off")
		size = max(0, size)
		content := make([]byte, size)
		rand.NewChaCha8([32]byte{byte(size)}).Read(content)
		source := sources[rapid.SampledFrom([]string{"whole", "half", "end at once"}).Draw(rt, "source")]
		limit := size + rapid.Int64Range(-1, 1).Draw(rt, "limit")*rapid.Int64Range(0, 100_000).Draw(rt, "slack")
		limit = max(0, limit)

		b, err := m.reserve(t.Context(), rapid.Int64Range(1, 5*chunkSize).Draw(rt, "reserved"))
		if err != nil {
			rt.Fatal(err)
		}
		defer func() {
			b.release()
			if got := testutil.ToFloat64(m.metrics.bytes); got != 0 {
				rt.Fatalf("%v bytes stay reserved", got)
			}
		}()
		digest := sha256.New()
		err = fill(b, source(bytes.NewReader(content)), limit, digest)
		if size > limit {
			if !errors.Is(err, errLonger) {
				rt.Fatalf("%d bytes, limit %d: %v", size, limit, err)
			}
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		b.fit(b.size)
		if b.reserved != wholeChunks(size) || int64(len(b.chunks))*chunkSize > b.reserved {
			rt.Fatalf("%d bytes in %d chunks, %d bytes reserved", size, len(b.chunks), b.reserved)
		}
		got, err := io.ReadAll(io.NewSectionReader(b, 0, b.size))
		if err != nil || !bytes.Equal(got, content) || [sha256.Size]byte(digest.Sum(nil)) != sha256.Sum256(content) {
			rt.Fatalf("read back %d of %d bytes: %v", len(got), size, err)
		}
	})
}

func TestFillStopsWhereGrowingWouldWait(t *testing.T) {
	m := newMemory(2*chunkSize, newMetrics())
	defer m.close()
	b, err := m.reserve(t.Context(), chunkSize)
	if err != nil {
		t.Fatal(err)
	}
	defer b.release()
	if err := fill(b, bytes.NewReader(make([]byte, 3*chunkSize)), 4*chunkSize, nil); !errors.Is(err, errReservationUsed) {
		t.Errorf("error is %v", err)
	}
}
