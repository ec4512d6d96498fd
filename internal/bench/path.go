package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"reauth/internal/stream"
)

// pathBench measures the whole path with a vendor that takes no time.
type pathBench struct {
	bin     string
	rounds  int
	atATime int
	sizes   string
	share   float64
	profile string
	stored  bool
}

func (b *pathBench) register(flags *flag.FlagSet) {
	flags.StringVar(&b.bin, "bin", "bin", "folder of the binaries")
	flags.IntVar(&b.rounds, "rounds", 3, "how often each size is measured")
	flags.IntVar(&b.atATime, "in-flight", 256, "calls in flight at most")
	flags.StringVar(&b.sizes, "sizes", "10:4000,100:4000,500:2000", "sizes of selfies in kB, each with the number of requests")
	flags.Float64Var(&b.share, "share", 1, "share of those requests that is made")
	flags.BoolVar(&b.stored, "stored-digest", false, "selfies were uploaded with a SHA-256, which selfies.digest says to take")
	flags.StringVar(&b.profile, "profile", "", "write CPU profiles of the consumer, with symbols in the binary, to this folder")
}

// warmUp is how many requests come before those that count: both processes then
// have their connections.
const warmUp = 1024

// mallocs counts the objects that the consumer has allocated.
const mallocs = "go_memstats_mallocs_total"

// pathRun is what one round of one size took.
type pathRun struct {
	path, floor cost
	mallocs     float64
}

func (b *pathBench) run(ctx context.Context, out io.Writer) error {
	t := table{head: []string{"selfie", "requests", "requests/s", "CPU µs/request", "floor CPU µs", "ratio", "allocations/request", "peak MiB", "floor peak MiB"}}
	for size := range strings.SplitSeq(b.sizes, ",") {
		kBText, nText, _ := strings.Cut(size, ":")
		kB, err := strconv.Atoi(kBText)
		n, err2 := strconv.Atoi(nText)
		if err := errors.Join(err, err2); err != nil {
			return fmt.Errorf("reading -sizes: %w", err)
		}
		n = max(1, int(float64(n)*b.share))
		var rates, cpus, floors, ratios, mallocs []float64
		var peaks, floorPeaks []int64
		for range b.rounds {
			run, err := b.round(ctx, kB, n)
			if err != nil {
				return err
			}
			micros, floorMicros := float64(run.path.CPU.Microseconds())/float64(n), float64(run.floor.CPU.Microseconds())/float64(n)
			fmt.Fprintf(os.Stderr, "%d kB: %.0f µs, floor %.0f µs, ratio %.2f\n", kB, micros, floorMicros, micros/floorMicros)
			rates = append(rates, float64(n)/run.path.Wall.Seconds())
			cpus, floors, ratios = append(cpus, micros), append(floors, floorMicros), append(ratios, micros/floorMicros)
			mallocs = append(mallocs, run.mallocs/float64(n))
			peaks, floorPeaks = append(peaks, run.path.Peak), append(floorPeaks, run.floor.Peak)
		}
		t.add(fmt.Sprintf("%d kB", kB), n, fmt.Sprintf("%.0f", median(rates)),
			fmt.Sprintf("%.0f", median(cpus)), fmt.Sprintf("%.0f", median(floors)), fmt.Sprintf("%.2f", median(ratios)),
			fmt.Sprintf("%.0f", median(mallocs)), mebibytes(median(peaks)), mebibytes(median(floorPeaks)))
	}
	return t.print(out)
}

// round measures floor and path once, in a world of their own.
func (b *pathBench) round(ctx context.Context, kB, n int) (run pathRun, err error) {
	w, err := newWorld(ctx, b.bin)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if run.floor, err = w.measureFloor(ctx, kB, n, warmUp, b.atATime); err != nil {
		return run, err
	}
	settings := []string{"REAUTH_VENDORS__ARGOS__MAX_IN_FLIGHT=" + strconv.Itoa(b.atATime)}
	if b.stored {
		settings = append(settings, "REAUTH_SELFIES__DIGEST=stored")
		if err := w.turn(ctx, `{"s3":{"checksum":"whole"}}`); err != nil {
			return run, err
		}
	}
	c, err := w.startConsumer(settings...)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	return run, b.measure(ctx, w, c, kB, n, &run)
}

func (b *pathBench) measure(ctx context.Context, w *world, c *consumer, kB, n int, run *pathRun) error {
	if err := c.works(ctx); err != nil {
		return err
	}
	writer := w.kafka.NewWriter(stream.WriterConfig{})
	defer writer.Close(ctx)
	results, err := w.results(ctx)
	if err != nil {
		return err
	}
	defer results.close()
	if err := w.publish(ctx, writer, 0, warmUp, kB); err != nil {
		return err
	}
	if _, err := results.await(ctx, warmUp, c); err != nil {
		return err
	}
	begin, err := c.metrics(ctx)
	if err != nil {
		return err
	}
	before, err := c.cpu()
	if err != nil {
		return err
	}
	profiled := make(chan error, 1)
	if b.profile == "" {
		profiled <- nil
	} else {
		name := filepath.Join(b.profile, fmt.Sprintf("path-%dKB", kB))
		go func() {
			profiled <- errors.Join(
				c.profile(ctx, name+".cpu", "profile?seconds=3"),
				c.profile(ctx, name+".allocs", "allocs"), c.profile(ctx, name+".heap", "heap"))
		}()
	}
	if err := w.publish(ctx, writer, warmUp, n, kB); err != nil {
		return err
	}
	if run.path.Wall, err = results.await(ctx, n, c); err != nil {
		return err
	}
	after, err := c.cpu()
	if err != nil {
		return err
	}
	run.path.CPU = after - before
	if run.path.Peak, err = c.peak(); err != nil {
		return err
	}
	end, err := c.metrics(ctx)
	run.mallocs = end.sum(mallocs) - begin.sum(mallocs)
	return errors.Join(err, <-profiled)
}
