package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// restoreBench measures how long shards take to be at work over a full ledger.
type restoreBench struct {
	bin              string
	rounds           int
	answered, parked int
	batch            int
	profile          string
}

func (b *restoreBench) register(flags *flag.FlagSet) {
	flags.StringVar(&b.bin, "bin", "bin", "folder of the binaries")
	flags.IntVar(&b.rounds, "rounds", 3, "how often a consumer is started")
	flags.IntVar(&b.answered, "answered", 1_000_000, "answered requests in the ledger")
	flags.IntVar(&b.parked, "parked", 100_000, "parked requests in the ledger")
	flags.IntVar(&b.batch, "batch", 10, "records in a batch of the ledger: some at a high rate, one at a low one")
	flags.StringVar(&b.profile, "profile", "", "write CPU and memory profiles of the consumer, with symbols in the binary, to this folder")
}

// restoreRun is what one start took.
type restoreRun struct {
	first, last, started, cpu time.Duration
	peak                      int64
}

func (b *restoreBench) run(ctx context.Context, out io.Writer) (err error) {
	w, err := newWorld(ctx, b.bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	begin := time.Now()
	records, bytes, err := w.fillLedger(ctx, b.answered, b.parked, b.batch)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d ledger records of %s MiB written in %.0f s\n", records, mebibytes(bytes), time.Since(begin).Seconds())
	var runs []restoreRun
	for range b.rounds {
		run, err := b.restore(ctx, w)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "first shard after %v, all after %v, CPU %v, peak %s MiB\n", run.first, run.last, run.cpu, mebibytes(run.peak))
		runs = append(runs, run)
	}
	t := table{head: []string{"answered", "parked", "ledger records", "ledger MiB", "first shard", "all shards", "since start", "CPU", "peak MiB"}}
	t.add(b.answered, b.parked, records, mebibytes(bytes),
		seconds(runs, func(r restoreRun) time.Duration { return r.first }), seconds(runs, func(r restoreRun) time.Duration { return r.last }),
		seconds(runs, func(r restoreRun) time.Duration { return r.started }), seconds(runs, func(r restoreRun) time.Duration { return r.cpu }),
		mebibytes(median(each(runs, func(r restoreRun) int64 { return r.peak }))))
	return t.print(out)
}

// restore starts a consumer and waits until all of its shards work.
func (b *restoreBench) restore(ctx context.Context, w *world) (run restoreRun, err error) {
	c, err := w.startConsumer()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	profiled := make(chan error, 1)
	if b.profile == "" {
		profiled <- nil
	} else {
		if err := c.await(ctx, func() bool { return c.log.opsAddr() != "" }); err != nil {
			return run, err
		}
		go func() { profiled <- c.profile(ctx, filepath.Join(b.profile, "restore.cpu"), "profile?seconds=5") }()
	}
	if err := c.works(ctx); err != nil {
		return run, err
	}
	run.started = time.Since(c.started)
	took := each(c.log.restored(), func(w shardWorks) time.Duration { return w.took })
	run.first, run.last = slices.Min(took), slices.Max(took)
	if run.cpu, err = c.cpu(); err != nil {
		return run, err
	}
	if b.profile != "" {
		err = errors.Join(<-profiled, c.profile(ctx, filepath.Join(b.profile, "restore.heap"), "heap"), c.profile(ctx, filepath.Join(b.profile, "restore.allocs"), "allocs"))
		if err != nil {
			return run, err
		}
	}
	run.peak, err = c.peak()
	return run, err
}

func each[T, V any](of []T, value func(T) V) []V {
	values := make([]V, len(of))
	for i, o := range of {
		values[i] = value(o)
	}
	return values
}

// seconds is the median of a time of the runs.
func seconds(runs []restoreRun, of func(restoreRun) time.Duration) string {
	return fmt.Sprintf("%.2f s", median(each(runs, of)).Seconds())
}
