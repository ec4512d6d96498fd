package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"reauth/internal/stream"
)

// memoryBench measures the memory of many calls in flight with large selfies.
type memoryBench struct {
	bin     string
	atATime int
	kB, n   int
	latency string
	bounds  string
}

func (b *memoryBench) register(flags *flag.FlagSet) {
	flags.StringVar(&b.bin, "bin", "bin", "folder of the binaries")
	flags.IntVar(&b.atATime, "in-flight", 512, "calls in flight at most")
	flags.IntVar(&b.kB, "kb", 1000, "size of a selfie in kB")
	flags.IntVar(&b.n, "n", 2048, "requests")
	flags.StringVar(&b.latency, "latency", "4s", "how long the vendor takes")
	flags.StringVar(&b.bounds, "selfies", "64MiB,16MiB", "settings of selfies.max_memory")
}

func (b *memoryBench) run(ctx context.Context, out io.Writer) error {
	t := table{head: []string{"selfies.max_memory", "selfie", "requests", "in flight, most", "requests/s", "peak MiB before", "peak MiB"}}
	for bound := range strings.SplitSeq(b.bounds, ",") {
		if err := b.measure(ctx, bound, &t); err != nil {
			return err
		}
	}
	return t.print(out)
}

// measure adds a row for one setting of selfies.max_memory.
func (b *memoryBench) measure(ctx context.Context, bound string, t *table) (err error) {
	w, err := newWorld(ctx, b.bin, "--latency", b.latency)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	c, err := w.startConsumer("REAUTH_VENDORS__ARGOS__MAX_IN_FLIGHT="+strconv.Itoa(b.atATime), "REAUTH_SELFIES__MAX_MEMORY="+bound)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.works(ctx); err != nil {
		return err
	}
	idle, err := c.peak()
	if err != nil {
		return err
	}
	writer := w.kafka.NewWriter(stream.WriterConfig{})
	defer writer.Close(ctx)
	results, err := w.results(ctx)
	if err != nil {
		return err
	}
	defer results.close()
	if err := w.publish(ctx, writer, 0, b.n, b.kB); err != nil {
		return err
	}
	wall, err := results.await(ctx, b.n, c)
	if err != nil {
		return err
	}
	peak, err := c.peak()
	if err != nil {
		return err
	}
	vendor, err := w.vendor(ctx)
	if err != nil {
		return err
	}
	t.add(bound, fmt.Sprintf("%d kB", b.kB), b.n, vendor.PeakInFlight, fmt.Sprintf("%.0f", float64(b.n)/wall.Seconds()), mebibytes(idle), mebibytes(peak))
	return nil
}
