package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"reauth/internal/stream"
)

// utilisationBench measures how much of a vendor's limit is used while there is
// backlog, and whether it is ever exceeded, with a replica that comes and another
// that dies.
type utilisationBench struct {
	bin              string
	replicas, limits string
	length, session  time.Duration
	latency          string
	errorRate        float64
	kB               int
}

func (b *utilisationBench) register(flags *flag.FlagSet) {
	flags.StringVar(&b.bin, "bin", "bin", "folder of the binaries")
	flags.StringVar(&b.replicas, "replicas", "1,3,12", "numbers of replicas")
	flags.StringVar(&b.limits, "limits", "10,100,400", "limits, in calls per second, each with each number of replicas")
	flags.DurationVar(&b.length, "for", 30*time.Second, "how long each combination is measured; at least 20s")
	flags.DurationVar(&b.session, "session", 14*time.Second, "kafka.session_timeout: how long a dead replica's shards stay its own")
	flags.StringVar(&b.latency, "latency", "300ms-3s", "how long the vendor takes")
	flags.Float64Var(&b.errorRate, "error-rate", 0.02, "share of the calls that meet a 5xx")
	flags.IntVar(&b.kB, "kb", 10, "size of a selfie in kB")
}

const (
	// joinAfter and killAfter are when, as shares of the time measured, a
	// replica is added and another is killed.
	joinAfter, killAfter = 0.2, 0.4
	// backlogFor is for how long there is work, in seconds of the limit, beyond
	// the time measured: for the way up to the rate, and so that no shard runs out.
	backlogFor = 6 * time.Second
	// usedTarget is the share of a limit that is to be used.
	usedTarget = 0.97
)

func (b *utilisationBench) run(ctx context.Context, out io.Writer) error {
	replicas, err := integers(b.replicas)
	limits, err2 := integers(b.limits)
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("reading -replicas and -limits: %w", err)
	}
	t := table{head: []string{
		"replicas", "limit/s", "calls", "of them lists", "used %", "used % by shards with an owner", "taken over after",
		"refused", "most in 1 s", "charged", "duplicates", "unknown", "slots missed", "late", "consumers' CPU %", "CPU busy %", "",
	}}
	var faults []error
	met, metOwned, measured := 0, 0, 0
	for _, n := range replicas {
		for _, limit := range limits {
			u, err := b.combination(ctx, n, limit)
			if ctx.Err() != nil {
				return errors.Join(ctx.Err(), t.print(out))
			}
			if err != nil {
				faults = append(faults, fmt.Errorf("%d replicas, %d/s: %w", n, limit, err))
			}
			if u.window == 0 {
				continue
			}
			measured++
			if u.used() >= usedTarget {
				met++
			}
			if u.usedOwned() >= usedTarget {
				metOwned++
			}
			u.row(&t, n)
		}
	}
	if err := t.print(out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nTarget: 97 %% used, none refused. All included, %d of %d reach it; without the time in which the dead replica's shards were nobody's, %d do.\n",
		met, measured, metOwned)
	return errors.Join(append(faults, err)...)
}

// usage is what was measured of one combination.
type usage struct {
	limit          int
	window         time.Duration
	calls, lists   int
	orphaned       time.Duration // of all shards, added up
	takeover       time.Duration
	stats          vendorStats
	unknown        float64
	missed, late   float64
	busy, consumer float64 // shares of the processors' time
}

// used is the share of all calls that the limit allows.
func (u usage) used() float64 {
	return float64(u.calls) / (float64(u.limit) * u.window.Seconds())
}

// usedOwned is the share of the calls that the limit allows the shards with an
// owner.
func (u usage) usedOwned() float64 {
	return float64(u.calls) / (float64(u.limit) * (u.window - u.orphaned/shards).Seconds())
}

func (u usage) row(t *table, replicas int) {
	note := ""
	if u.busy >= crowded {
		note = "machine busy"
	}
	t.add(replicas, u.limit, u.calls, u.lists, percent(u.used()), percent(u.usedOwned()), fmt.Sprintf("%.1f s", u.takeover.Seconds()),
		u.stats.Refused, u.stats.PeakPerSecond, u.stats.Charged, u.stats.Duplicates, u.unknown, u.missed, u.late,
		fmt.Sprintf("%.0f", 100*u.consumer), fmt.Sprintf("%.0f", 100*u.busy), note)
}

func percent(share float64) string { return fmt.Sprintf("%.1f", 100*share) }

// combination measures one number of replicas with one limit, in a world of its
// own.
func (b *utilisationBench) combination(ctx context.Context, replicas, limit int) (u usage, err error) {
	w, err := newWorld(ctx, b.bin, "--limit", strconv.Itoa(limit), "--latency", b.latency, "--error-rate", fmt.Sprint(b.errorRate))
	if err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	f := &fleet{w: w, settings: b.settings(limit)}
	defer func() { err = errors.Join(err, f.stop()) }()
	for range replicas {
		if err := f.add(); err != nil {
			return u, err
		}
	}
	if err := f.settle(ctx); err != nil {
		return u, err
	}
	results, err := w.audit(ctx)
	if err != nil {
		return u, err
	}
	defer results.close()
	asked := int(float64(limit) * (b.length + backlogFor).Seconds())
	writer := w.kafka.NewWriter(stream.WriterConfig{})
	defer writer.Close(ctx)
	if err := w.publish(ctx, writer, 0, asked, b.kB); err != nil {
		return u, err
	}
	if u, err = b.measure(ctx, w, f, limit); err != nil {
		return u, err
	}
	// What the dead replica had at the vendor is settled once its claims ended.
	err = results.await(ctx, asked, claimLife+20*time.Second)
	if ctx.Err() != nil {
		return u, ctx.Err()
	}
	metrics, err2 := f.metrics(ctx)
	stats, err3 := w.vendor(ctx)
	u.stats = stats
	u.unknown += metrics.sum(unknownOutcomes)
	fmt.Fprintf(os.Stderr, "unknown outcomes by resolution: %v\n", metrics.only(unknownOutcomes))
	return u, errors.Join(err, err2, err3, results.verify(asked), stats.broken())
}

const (
	unknownOutcomes = "reauth_unknown_outcomes_total"
	slotsMissed     = "reauth_slots_missed_total"
	callsLate       = "reauth_calls_late_total"

	// A call takes at most callTime, and what a claim covers claimMargin more:
	// short, as who waits for a dead replica's claims waits that long.
	callTime, claimMargin = 5 * time.Second, 4 * time.Second
	claimLife             = callTime + claimMargin
)

// openFor is how many seconds of its share of the limit a shard has open: three
// times what calls take, and little enough for calls that failed, which come back
// behind what is open, to do so within the time measured.
const openFor = 9

// settings of the replicas: room for all calls that the limit and the vendor's
// latency make, in each replica, as the others may be dead.
func (b *utilisationBench) settings(limit int) []string {
	const longest = 3 // seconds that a call takes
	return []string{
		fmt.Sprintf("REAUTH_VENDORS__ARGOS__LIMITS=%d/s", limit),
		fmt.Sprintf("REAUTH_VENDORS__ARGOS__MAX_IN_FLIGHT=%d", max(16, limit*longest)),
		fmt.Sprintf("REAUTH_PIPELINE__MAX_IN_SHARD=%d", max(16, limit*openFor/shards)),
		"REAUTH_VENDORS__ARGOS__TIMEOUT=" + callTime.String(), "REAUTH_LEDGER__MARGIN=" + claimMargin.String(),
		"REAUTH_BREAKER__SLOW_CALL=" + callTime.String(), "REAUTH_RETRY__MAX=5s", "REAUTH_SHUTDOWN__GRACE=10s",
		"REAUTH_KAFKA__SESSION_TIMEOUT=" + b.session.String(), "REAUTH_KAFKA__HEARTBEAT=1s",
	}
}

// measure counts calls from when they flow at the limit's rate.
func (b *utilisationBench) measure(ctx context.Context, w *world, f *fleet, limit int) (u usage, err error) {
	u.limit = limit
	if err := flows(ctx, w, limit); err != nil {
		return u, err
	}
	before, err := readMachine()
	cpuBefore, err2 := f.cpu()
	statsBefore, err3 := w.vendor(ctx)
	if err := errors.Join(err, err2, err3); err != nil {
		return u, err
	}
	first, err := w.sample(ctx)
	if err != nil {
		return u, err
	}
	watched := w.watch(ctx, first, b.length)
	if err := w.pass(ctx, until(first.at, b.length, joinAfter)); err != nil {
		return u, err
	}
	if err := f.add(); err != nil {
		return u, err
	}
	// The Kafka in memory (kfake of 2026-09-18) never lets go of a member that
	// dies with a join under way.
	if err := f.settle(ctx); err != nil {
		return u, err
	}
	if err := w.pass(ctx, until(first.at, b.length, killAfter)); err != nil {
		return u, err
	}
	dead, err := f.kill(ctx)
	if err != nil {
		return u, err
	}
	samples := <-watched
	if samples.err != nil {
		return u, samples.err
	}
	last := samples.all[len(samples.all)-1]
	after, err := readMachine()
	cpuAfter, err2 := f.cpu()
	statsAfter, err3 := w.vendor(ctx)
	metrics, err4 := f.metrics(ctx)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return u, err
	}
	u.window, u.calls = last.at.Sub(first.at), last.calls-first.calls
	u.lists = statsAfter.Lists - statsBefore.Lists
	u.orphaned, u.takeover = f.orphaned(dead, last.at)
	u.missed = metrics.sum(slotsMissed) + dead.metrics.sum(slotsMissed)
	u.late = metrics.sum(callsLate) + dead.metrics.sum(callsLate)
	u.unknown = dead.metrics.sum(unknownOutcomes)
	u.busy = after.busySince(before)
	all := after.busy + after.idle - before.busy - before.idle
	u.consumer = (cpuAfter + dead.cpu - cpuBefore).Seconds() / all.Seconds()
	fmt.Fprintf(os.Stderr, "%d replicas, %d/s: %s %% used, killed after %.1f s; by the second: %v\n",
		len(f.alive), limit, percent(u.used()), dead.at.Sub(first.at).Seconds(), bySecond(samples.all))
	return u, nil
}

func until(begin time.Time, length time.Duration, share float64) time.Time {
	return begin.Add(time.Duration(share * float64(length)))
}

// integers reads a list of them with commas.
func integers(list string) (all []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}
