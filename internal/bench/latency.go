package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/stream"
)

// latencyBench measures what our path adds to the store's and the vendor's time
// when there is no backlog.
type latencyBench struct {
	bin     string
	loads   string
	length  time.Duration
	latency string
	kB      int
}

func (b *latencyBench) register(flags *flag.FlagSet) {
	flags.StringVar(&b.bin, "bin", "bin", "folder of the binaries")
	flags.StringVar(&b.loads, "loads", "200:400,200:none,50:100,5:10", "requests per second, each with the limit")
	flags.DurationVar(&b.length, "for", 20*time.Second, "how long requests come")
	flags.StringVar(&b.latency, "latency", "100ms", "how long the vendor takes")
	flags.IntVar(&b.kB, "kb", 100, "size of a selfie in kB")
}

const (
	addedMedian = 10 * time.Millisecond
	addedP99    = 50 * time.Millisecond
	// arrivalWarmUp is how long requests come before those that count.
	arrivalWarmUp = 3 * time.Second
)

func (b *latencyBench) run(ctx context.Context, out io.Writer) error {
	t := table{head: []string{"arrivals/s", "limit/s", "ms from – to", "p50", "p90", "p99", "max"}}
	var verdicts []string
	for load := range strings.SplitSeq(b.loads, ",") {
		rateText, limit, _ := strings.Cut(load, ":")
		rate, err := strconv.ParseFloat(rateText, 64)
		if err != nil || limit == "" {
			return fmt.Errorf("reading -loads: %q: want a rate, a colon, a limit or none", load)
		}
		journeys, floor, err := b.measure(ctx, rate, limit)
		if err != nil {
			return errors.Join(fmt.Errorf("%s/s at a limit of %s/s: %w", rateText, limit, err), t.print(out))
		}
		for _, step := range steps {
			t.add(append([]any{rateText, limit, step.name}, percentiles(each(journeys, step.of))...)...)
		}
		if limit != "none" {
			perSecond, err := strconv.Atoi(limit)
			if err != nil {
				return fmt.Errorf("reading -loads: %q: want a whole number of calls a second, or none", limit)
			}
			t.add(append([]any{rateText, limit, "the least that any limiter makes them wait"}, percentiles(imposed(journeys, perSecond))...)...)
		}
		t.add(append([]any{rateText, limit, "Kafka there and back, without a consumer"}, percentiles(floor)...)...)
		added := slices.Sorted(slices.Values(each(journeys, journey.added)))
		met := quantile(added, 0.5) < addedMedian && quantile(added, 0.99) < addedP99
		verdicts = append(verdicts, fmt.Sprintf("%s at %s/s %s", rateText, limit, verdict(met)))
	}
	if err := t.print(out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nTarget: added p50 < %d ms, p99 < %d ms: %s.\n", addedMedian.Milliseconds(), addedP99.Milliseconds(), strings.Join(verdicts, ", "))
	return err
}

// measure sends requests at random times of a rate and follows each.
func (b *latencyBench) measure(ctx context.Context, rate float64, limit string) (_ []journey, floor []time.Duration, err error) {
	w, err := newWorld(ctx, b.bin, "--latency", b.latency)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	limits := limit
	if limit != "none" {
		limits += "/s"
	}
	c, err := w.startConsumer("REAUTH_VENDORS__ARGOS__LIMITS=" + limits)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.works(ctx); err != nil {
		return nil, nil, err
	}
	// A batch of one leaves at once.
	writer := w.kafka.NewWriter(stream.WriterConfig{BatchRecords: 1})
	defer writer.Close(ctx)
	if floor, err = w.thereAndBack(ctx, writer); err != nil {
		return nil, nil, err
	}
	log, err := w.readLedger(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer log.close()
	results, err := w.results(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer results.close()
	warm, n := int(rate*arrivalWarmUp.Seconds()), int(rate*b.length.Seconds())
	sending := b.send(ctx, w, writer, rate, warm+n)
	journeys := make([]journey, warm+n)
	for range journeys {
		select {
		case one := <-results.seen:
			if one.outcome != event.Approved {
				return nil, nil, fmt.Errorf("a result is %q: %w", one.outcome, errUnexpected)
			}
			journeys[one.number].result = one
		case err := <-results.fault:
			return nil, nil, err
		case <-c.ended:
			return nil, nil, c.alive()
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	sent := <-sending
	if sent.err != nil {
		return nil, nil, sent.err
	}
	for i := range journeys {
		journeys[i].sent = sent.at[i]
		if err := log.complete(i, &journeys[i]); err != nil {
			return nil, nil, err
		}
	}
	stats, err := w.vendor(ctx)
	return journeys[warm:], floor, errors.Join(err, stats.broken())
}

// imposed is how long each request waits where nothing is in its way but the limit: no
// second holds more calls.
func imposed(journeys []journey, perSecond int) []time.Duration {
	at := make([]time.Time, len(journeys))
	for i, j := range journeys {
		at[i] = j.sent
	}
	slices.SortFunc(at, time.Time.Compare)
	waits := make([]time.Duration, len(at))
	for i, sent := range at {
		if i >= perSecond {
			if next := at[i-perSecond].Add(time.Second); next.After(sent) {
				at[i] = next
			}
		}
		waits[i] = at[i].Sub(sent)
	}
	return waits
}

// sent is when each request was.
type sent struct {
	at  []time.Time
	err error
}

// send sends n requests, with random pauses in between, as of many independent
// sources: a Poisson process. None waits for another to arrive.
func (b *latencyBench) send(ctx context.Context, w *world, writer *stream.Writer, rate float64, n int) <-chan sent {
	sending := make(chan sent, 1)
	go func() {
		s := sent{at: make([]time.Time, n)}
		faults := make([]error, n)
		var wg sync.WaitGroup
		random := rand.New(rand.NewPCG(1, 2)) // the same arrivals each time
		at := time.Now()
		for i := range n {
			at = at.Add(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
			if s.err = w.pass(ctx, at); s.err != nil {
				break
			}
			wg.Go(func() {
				s.at[i] = time.Now()
				faults[i] = w.publish(ctx, writer, i, 1, b.kB)
			})
		}
		wg.Wait()
		s.err = errors.Join(s.err, errors.Join(faults...))
		sending <- s
	}()
	return sending
}

// thereAndBack measures how long a record takes to a topic and back to a reader:
// a request and its result both do that.
func (w *world) thereAndBack(ctx context.Context, writer *stream.Writer) (took []time.Duration, err error) {
	const topic, n = "faceauth.dead", 200
	reader, err := w.kafka.NewReader(topic, 0, stream.FirstOffset)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	for i := range n + 1 {
		begin := time.Now()
		if err := writer.Write(ctx, event.Record{Topic: topic, Value: make([]byte, 300)}); err != nil {
			return nil, err
		}
		if _, err := reader.Fetch(ctx); err != nil {
			return nil, err
		}
		if i > 0 { // the first makes the connections
			took = append(took, time.Since(begin))
		}
		if err := w.pass(ctx, time.Now().Add(10*time.Millisecond)); err != nil {
			return nil, err
		}
	}
	return took, nil
}
