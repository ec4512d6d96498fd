package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"reauth/internal/stream"
)

// soakBench watches the memory of a consumer whose vendor is out half of the time.
type soakBench struct {
	bin         string
	length, up  time.Duration
	atATime, kB int
	limit       int
	latency     string
}

func (b *soakBench) register(flags *flag.FlagSet) {
	flags.StringVar(&b.bin, "bin", "bin", "folder of the binaries")
	flags.DurationVar(&b.length, "for", 5*time.Minute, "how long; at least 40s")
	flags.DurationVar(&b.up, "up", 12500*time.Millisecond, "how long the vendor is up, and then out; as it is, each quarter of 5m sees each kind of outage once")
	flags.IntVar(&b.atATime, "in-flight", 512, "calls in flight at most")
	flags.IntVar(&b.limit, "limit", 400, "calls per second that the vendor allows")
	flags.StringVar(&b.latency, "latency", "500ms-2s", "how long the vendor takes")
	flags.IntVar(&b.kB, "kb", 100, "size of a selfie in kB")
}

// outages are the ways in which the vendor is out, in turn.
var outages = []string{"500", "refuse", "blackhole"}

// flat is how much more the peak of the last quarter may be than the second's.
const flat = 1.1

// moment is what was seen of the consumer at a time.
type moment struct {
	at         time.Duration // from the begin
	resident   int64
	goroutines float64
	parked     float64
	open       float64
	done       int
	stats      vendorStats
	machine    machine
}

// served is how many calls the vendor took while it was up.
func (m moment) served() int { return m.stats.counted() - m.stats.Outage }

func (b *soakBench) run(ctx context.Context, out io.Writer) (err error) {
	w, err := newWorld(ctx, b.bin, "--latency", b.latency, "--limit", fmt.Sprint(b.limit))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	c, err := w.startConsumer(
		fmt.Sprintf("REAUTH_VENDORS__ARGOS__LIMITS=%d/s", b.limit),
		fmt.Sprintf("REAUTH_VENDORS__ARGOS__MAX_IN_FLIGHT=%d", b.atATime),
		"REAUTH_VENDORS__ARGOS__TIMEOUT="+callTime.String(), "REAUTH_LEDGER__MARGIN="+claimMargin.String(),
		"REAUTH_BREAKER__SLOW_CALL="+callTime.String(), "REAUTH_BREAKER__OPEN=2s", "REAUTH_BREAKER__WINDOW=5s",
		"REAUTH_RETRY__MAX=10s", "REAUTH_SHUTDOWN__GRACE=10s",
	)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.works(ctx); err != nil {
		return err
	}
	results, err := w.audit(ctx)
	if err != nil {
		return err
	}
	defer results.close()
	moments, asked, cycles, err := b.watch(ctx, w, c, results)
	if err != nil {
		return err
	}
	if err := w.turn(ctx, `{"argos":{"outage":""}}`); err != nil {
		return err
	}
	err = results.await(ctx, asked, claimLife+30*time.Second)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m, err2 := c.metrics(ctx)
	stats, err3 := w.vendor(ctx)
	err = errors.Join(err, err2, err3, results.verify(asked), stats.broken())
	return errors.Join(err, b.print(out, moments, m, stats, asked, cycles))
}

// watch has the vendor go out and come back, sees to it that there is always
// work, and looks at the consumer every second.
func (b *soakBench) watch(ctx context.Context, w *world, c *consumer, results *audit) (moments []moment, asked, cycles int, err error) {
	writer := w.kafka.NewWriter(stream.WriterConfig{})
	defer writer.Close(ctx)
	backlog := 15 * b.limit
	begin := time.Now()
	out := false
	for at := time.Duration(0); at <= b.length; at += time.Second {
		if err := w.pass(ctx, begin.Add(at)); err != nil {
			return nil, 0, 0, err
		}
		if more := backlog - (asked - results.done()); more > 0 {
			if err := w.publish(ctx, writer, asked, more, b.kB); err != nil {
				return nil, 0, 0, err
			}
			asked += more
		}
		if want := int(at/b.up)%2 == 1; want != out {
			how := ""
			if out = want; out {
				how = outages[cycles%len(outages)]
				cycles++
			}
			if err := w.turn(ctx, fmt.Sprintf(`{"argos":{"outage":%q}}`, how)); err != nil {
				return nil, 0, 0, err
			}
		}
		one, err := look(ctx, w, c, results)
		if err != nil {
			return nil, 0, 0, err
		}
		one.at = time.Since(begin)
		moments = append(moments, one)
		fmt.Fprintf(os.Stderr, "%3.0f s: out %t, %s MiB, %.0f goroutines, %.0f open, %.0f parked, %d results, %+v\n",
			one.at.Seconds(), out, mebibytes(one.resident), one.goroutines, one.open, one.parked, one.done, one.stats)
	}
	return moments, asked, cycles, nil
}

func look(ctx context.Context, w *world, c *consumer, results *audit) (m moment, err error) {
	if err := c.alive(); err != nil {
		return m, err
	}
	seen, err := c.metrics(ctx)
	resident, err2 := c.resident()
	stats, err3 := w.vendor(ctx)
	processors, err4 := readMachine()
	return moment{
		resident: resident, goroutines: seen.sum("go_goroutines"), stats: stats, done: results.done(), machine: processors,
		parked: seen[`reauth_requests_open{where="parked"}`], open: seen[`reauth_requests_open{where="all"}`],
	}, errors.Join(err, err2, err3, err4)
}

func (b *soakBench) print(out io.Writer, moments []moment, m metrics, stats vendorStats, asked, cycles int) error {
	t := table{head: []string{"at", "results", "MiB", "lowest in the quarter", "highest", "goroutines", "open", "parked", "at the vendor", "used % while up", "CPU busy %"}}
	var quarters []int64 // the peak of each
	for q := range 5 {
		last := q * (len(moments) - 1) / 4
		lowest, highest, used, busy := "", "", "", ""
		one := moments[last]
		if q > 0 {
			first := (q - 1) * (len(moments) - 1) / 4
			before := moments[first]
			up := (one.at - before.at).Seconds() / 2
			used = percent(float64(one.served()-before.served()) / (up * float64(b.limit)))
			busy = fmt.Sprintf("%.0f", 100*one.machine.busySince(before.machine))
			resident := each(moments[first:last+1], func(m moment) int64 { return m.resident })
			quarters = append(quarters, slices.Max(resident))
			lowest, highest = mebibytes(slices.Min(resident)), mebibytes(slices.Max(resident))
		}
		t.add(fmt.Sprintf("%.0f s", one.at.Seconds()), one.done, mebibytes(one.resident), lowest, highest, one.goroutines, one.open, one.parked, one.stats.InFlight, used, busy)
	}
	if err := t.print(out); err != nil {
		return err
	}
	minutes := b.length.Minutes()
	ratio := float64(quarters[3]) / float64(quarters[1])
	_, err := fmt.Fprintf(out, `
%d outages of %s (answers of 500, broken connections, no answers, in turn) and %d requests in %.1f minutes: %.1f outages and %.0f requests a minute.
%d calls, %d of them met an outage; at most %d at a time; %.0f times parked for another try; unknown outcomes %v;
%d refused, %d charged, %d charged twice, %.0f given up.

Target: the peak of the last quarter at most %.1f times the second's: %.2f, %s.
`,
		cycles, b.up, asked, minutes, float64(cycles)/minutes, float64(asked)/minutes,
		stats.Calls, stats.Outage, stats.PeakInFlight, m.sum("reauth_retries_total"), m.only(unknownOutcomes),
		stats.Refused, stats.Charged, stats.Duplicates, m.sum("reauth_dead_letters_total"),
		flat, ratio, verdict(ratio <= flat))
	return err
}
