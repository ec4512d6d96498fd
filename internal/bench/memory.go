package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"

	"reauth/internal/stream"
)

// memoryBench measures the memory of many calls in flight with large selfies.
type memoryBench struct {
	bin     string
	atATime int
	kB, n   int
	latency string
}

func (b *memoryBench) register(flags *flag.FlagSet) {
	flags.StringVar(&b.bin, "bin", "bin", "folder of the binaries")
	flags.IntVar(&b.atATime, "in-flight", 512, "calls in flight at most")
	flags.IntVar(&b.kB, "kb", 1000, "size of a selfie in kB")
	flags.IntVar(&b.n, "n", 2048, "requests")
	flags.StringVar(&b.latency, "latency", "4s", "how long the vendor takes")
}

func (b *memoryBench) run(ctx context.Context, out io.Writer) (err error) {
	w, err := newWorld(ctx, b.bin, "--latency", b.latency)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	c, err := w.startConsumer("REAUTH_VENDORS__ARGOS__MAX_IN_FLIGHT=" + strconv.Itoa(b.atATime))
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
	writer := w.kafka.NewWriter(stream.WriterConfig{BatchRecords: 500})
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
	t := table{head: []string{"selfie", "requests", "in flight, most", "requests/s", "peak MiB before", "peak MiB"}}
	t.add(fmt.Sprintf("%d kB", b.kB), b.n, vendor.PeakInFlight, fmt.Sprintf("%.0f", float64(b.n)/wall.Seconds()), mebibytes(idle), mebibytes(peak))
	return t.print(out)
}
