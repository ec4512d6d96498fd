package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/stream"
)

const (
	// perSecond is the rate at which the requests of the log were answered:
	// the default limit of a vendor.
	perSecond = 50
	// logMarkEvery and logMarkSkew are how often a shard's checkpoint is
	// written and how far it stays behind, as in the pipeline.
	logMarkEvery = 5 * time.Second
	logMarkSkew  = 10 * time.Second
)

// fillLedger writes the ledger that answered and parked requests leave behind:
// for each a claim, and its answer or its parking, and the checkpoints. It is as
// old as the rate makes it; the parked ones are not due for an hour. It returns
// how many records and bytes of values were written.
func (w *world) fillLedger(ctx context.Context, answered, parked, batch int) (records int, bytes int64, err error) {
	writer := w.kafka.NewWriter(stream.WriterConfig{BatchRecords: batch, BatchWait: time.Millisecond})
	defer writer.Close(ctx)
	var size, count atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	end := time.Now()
	for shard := range shards {
		group.Go(func() error {
			l := ledgerLog{shard: shard, rate: float64(perSecond) / shards, answered: answered / shards, parked: parked / shards, end: end}
			return l.write(func(records []event.Record) error {
				for _, r := range records {
					size.Add(int64(len(r.Key) + len(r.Value)))
				}
				count.Add(int64(len(records)))
				return writer.Write(ctx, records...)
			}, batch)
		})
	}
	err = group.Wait()
	return int(count.Load()), size.Load(), err
}

// ledgerLog makes the log of one shard, whose requests come at even intervals.
type ledgerLog struct {
	shard            int
	rate             float64 // requests per second
	answered, parked int
	end              time.Time
}

// write hands the log to out, in order, some hundred records at a time. Those of
// one call keep no order, so all of a call are of different requests but for
// checkpoints, which go alone.
func (l *ledgerLog) write(out func([]event.Record) error, batch int) error {
	n := l.answered + l.parked
	start := l.end.Add(-time.Duration(float64(n) / l.rate * float64(time.Second)))
	marked := start
	group := max(batch, 100)
	for first := 0; first < n; first += group {
		var claims, ends []event.Record
		var at time.Time
		for i := first; i < min(first+group, n); i++ {
			at = start.Add(time.Duration(float64(i) / l.rate * float64(time.Second)))
			claims = append(claims, l.record(i, l.claim(i, at), at))
			closing := l.answer(i, at)
			if l.isParked(i, n) {
				closing = l.parking(i, at)
			}
			ends = append(ends, l.record(i, closing, at.Add(300*time.Millisecond)))
		}
		if err := out(claims); err != nil {
			return err
		}
		if err := out(ends); err != nil {
			return err
		}
		for ; marked.Before(at); marked = marked.Add(logMarkEvery) {
			published := marked.Add(-logMarkSkew)
			mark := ledger.Record{Step: ledger.Checkpoint, Published: &published}
			if err := out([]event.Record{{Topic: ledgerTopic, Partition: l.shard, Value: mark.Encode(), Time: marked}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// isParked spreads the parked requests evenly among the others.
func (l *ledgerLog) isParked(i, n int) bool {
	return (i+1)*l.parked/n > i*l.parked/n
}

// id is the request id of the ith request: a campaign and a digest, as the
// producer makes them.
func (l *ledgerLog) id(i int) string { return fmt.Sprintf("spring-2026:%02d%030x", l.shard, i) }

func (l *ledgerLog) source(i int) ledger.Source {
	return ledger.Source{Topic: requestsTopic, Offset: int64(i)}
}

func (l *ledgerLog) record(i int, r ledger.Record, at time.Time) event.Record {
	return event.Record{Topic: ledgerTopic, Partition: l.shard, Key: []byte(l.id(i)), Value: r.Encode(), Time: at.Truncate(time.Millisecond)}
}

func (l *ledgerLog) claim(i int, at time.Time) ledger.Record {
	until := at.Add(50 * time.Second)
	return ledger.Record{
		Step: ledger.Claimed, Claim: 1, Source: l.source(i),
		Owner: "reauth-5d8f7c9b4-x2x7q/6f1c2e64-8a0b-4b1e-9f63-1d1f0e7f5a11", Until: &until, Called: &at,
		Attempts: 1, Selfie: ledger.Selfie{SHA256: l.digest(i), Bytes: 100_000},
	}
}

// digest is that of the ith request's selfie.
func (l *ledgerLog) digest(i int) (d ledger.Digest) {
	binary.BigEndian.PutUint64(d[:], uint64(i))
	return d
}

func (l *ledgerLog) answer(i int, at time.Time) ledger.Record {
	return ledger.Record{Step: ledger.Answered, Claim: 1, Answer: &ledger.Answer{
		Outcome: event.Approved, Scores: map[string]float64{"similarity": 97.3, "occlusion": 99.1},
		Reference: fmt.Sprintf("2f6b7a1e-5c3d-4e8f-9a0b-%012d", i), Liveness: event.LivenessNone,
		SHA256: l.digest(i).String(), Bytes: 100_000,
		TimingsMS:   event.Timings{Queued: 1200, Selfie: 41, Permit: 230, Vendor: 312, Total: 1790},
		CompletedAt: at.UTC(), Attempts: 1, Calls: 1,
	}}
}

func (l *ledgerLog) parking(i int, at time.Time) ledger.Record {
	due := l.end.Add(time.Hour)
	request := requestOf(i, 100)
	request.RequestID = l.id(i)
	value, err := json.Marshal(request)
	if err != nil {
		panic(err) // a bug: no field can fail
	}
	return ledger.Record{
		Step: ledger.Parked, Claim: 1, Source: l.source(i), Attempts: 1, Calls: 1, Due: &due, Why: "retry",
		Original: &ledger.Original{Key: []byte(l.id(i)), Value: string(value), Time: at},
	}
}
