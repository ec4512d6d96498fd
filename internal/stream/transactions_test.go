package stream_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"reauth/internal/stream"
)

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
