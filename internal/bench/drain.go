package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"reauth/internal/stream"
)

// drainBench measures whether a backlog's size matters to the time and memory
// that each of its requests takes.
type drainBench struct {
	bin     string
	sizes   string
	atATime int
}

func (b *drainBench) register(flags *flag.FlagSet) {
	flags.StringVar(&b.bin, "bin", "bin", "folder of the binaries")
	flags.StringVar(&b.sizes, "n", "10000,100000", "sizes of the backlog in requests, growing; 1000000 takes three minutes, and 6 GiB for the sandbox")
	flags.IntVar(&b.atATime, "in-flight", 256, "calls in flight at most")
}

const (
	// linear is how much more time a request may take in a larger backlog.
	linear = 1.2
	// A request may leave memoryPerRequest bytes behind: its id is remembered for
	// as long as the ledger's window, as 16 bytes of a hash table, which is copied
	// as it grows. Besides, the peak may rise by a share of it, as collections
	// come when they come.
	memoryPerRequest, memoryShare = 100, 0.1
	// drainKB is the size of a selfie, the smallest that the store makes.
	drainKB = 2
)

// drained is what one backlog took.
type drained struct {
	n         int
	wall, cpu time.Duration
	half, top int64 // the most memory that the consumer had had after half of it, and in all
}

func (d drained) perRequest() time.Duration { return d.wall / time.Duration(d.n) }

// constant says whether the second half took no more memory than the first.
func (d drained) constant() bool {
	return float64(d.top) <= (1+memoryShare)*float64(d.half)+memoryPerRequest*float64(d.n/2)
}

func (b *drainBench) run(ctx context.Context, out io.Writer) error {
	sizes, err := integers(b.sizes)
	if err != nil {
		return fmt.Errorf("reading -n: %w", err)
	}
	t := table{head: []string{"requests", "s", "requests/s", "µs/request", "ratio", "CPU µs/request", "CPU ratio", "peak MiB at half", "peak MiB"}}
	met, flat := true, true
	var before drained
	for i, n := range sizes {
		d, err := b.drain(ctx, n)
		if err != nil {
			return errors.Join(fmt.Errorf("draining %d requests: %w", n, err), t.print(out))
		}
		ratio, cpuRatio := "", ""
		if i > 0 {
			r := float64(d.perRequest()) / float64(before.perRequest())
			c := d.cpu.Seconds() / float64(n) / (before.cpu.Seconds() / float64(before.n))
			ratio, cpuRatio = fmt.Sprintf("%.2f", r), fmt.Sprintf("%.2f", c)
			met = met && r <= linear
		}
		before, flat = d, d.constant()
		t.add(n, fmt.Sprintf("%.2f", d.wall.Seconds()), fmt.Sprintf("%.0f", float64(n)/d.wall.Seconds()), d.perRequest().Microseconds(), ratio,
			d.cpu.Microseconds()/int64(n), cpuRatio, mebibytes(d.half), mebibytes(d.top))
	}
	if err := t.print(out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nTargets: at most %.1f times the time per request of the size before: %s; in the largest, no more memory for the second half than for the first, but %d bytes per request and %.0f %%: %s.\n",
		linear, verdict(met), memoryPerRequest, 100*memoryShare, verdict(flat))
	return err
}

// verdict is the word on a target.
func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// drain measures one size in a world of its own, from when the first shard works
// until all results are in their topic.
func (b *drainBench) drain(ctx context.Context, n int) (d drained, err error) {
	d.n = n
	w, err := newWorld(ctx, b.bin)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	writer := w.kafka.NewWriter(stream.WriterConfig{})
	defer writer.Close(ctx)
	const chunk = 10_000
	for first := 0; first < n; first += chunk {
		if err := w.publish(ctx, writer, first, min(chunk, n-first), drainKB); err != nil {
			return d, err
		}
	}
	c, err := w.startConsumer("REAUTH_VENDORS__ARGOS__MAX_IN_FLIGHT=" + strconv.Itoa(b.atATime))
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.await(ctx, func() bool { return len(c.log.restored()) > 0 }); err != nil {
		return d, fmt.Errorf("waiting for the consumer's first shard: %w", err)
	}
	begin := c.log.restored()[0].at
	if err := w.published(ctx, c, n/2); err != nil {
		return d, err
	}
	if d.half, err = c.peak(); err != nil {
		return d, err
	}
	if err := w.published(ctx, c, n); err != nil {
		return d, err
	}
	d.wall = time.Since(begin)
	var err2, err3 error
	d.cpu, err = c.cpu()
	d.top, err2 = c.peak()
	sandbox, err3 := w.sandbox.peak()
	if err := errors.Join(err, err2, err3); err != nil {
		return d, err
	}
	fmt.Fprintf(os.Stderr, "%d requests in %.2f s; peak of the sandbox %s MiB\n", n, d.wall.Seconds(), mebibytes(sandbox))
	results, err := w.audit(ctx)
	if err != nil {
		return d, err
	}
	defer results.close()
	err = results.await(ctx, n, 20*time.Second)
	stats, err2 := w.vendor(ctx)
	return d, errors.Join(err, err2, results.verify(n), stats.broken())
}

// published waits until the topic of results holds n records. It asks for the
// ends of its partitions only: to read them takes from what is measured.
func (w *world) published(ctx context.Context, c *consumer, n int) error {
	for {
		total := 0
		for partition := range shards {
			end, err := w.kafka.End(ctx, resultsTopic, partition)
			if err != nil {
				return err
			}
			total += int(end)
		}
		if total >= n {
			return nil
		}
		if err := c.alive(); err != nil {
			return err
		}
		if err := w.pass(ctx, time.Now().Add(20*time.Millisecond)); err != nil {
			return err
		}
	}
}
