package main

import (
	"context"
	"errors"
	"math"
	"time"
)

// sample is how many calls had counted at a time.
type sample struct {
	at    time.Time
	calls int
}

// sampleEvery is how often the vendor's counts are looked at.
const sampleEvery = 100 * time.Millisecond

// sample takes one.
func (w *world) sample(ctx context.Context) (sample, error) {
	before := time.Now()
	stats, err := w.vendor(ctx)
	return sample{before.Add(time.Since(before) / 2), stats.counted()}, err
}

// flows waits until a second has seen nine tenths of the calls that are allowed.
func flows(ctx context.Context, w *world, limit int) error {
	want := int(math.Floor(0.9 * float64(limit)))
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errSlow)
	defer cancel()
	var samples []sample
	for {
		s, err := w.sample(ctx)
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		for len(samples) > 0 && s.at.Sub(samples[0].at) > time.Second+sampleEvery/2 {
			samples = samples[1:]
		}
		if samples = append(samples, s); s.calls-samples[0].calls >= want {
			return nil
		}
		if err := w.pass(ctx, time.Now().Add(sampleEvery)); err != nil {
			return err
		}
	}
}

var errSlow = errors.New("calls do not come to flow at the limit's rate")

// watching are the samples of a time.
type watching struct {
	all []sample
	err error
}

// watch samples the vendor's count from the first on for a time.
func (w *world) watch(ctx context.Context, first sample, length time.Duration) <-chan watching {
	watched := make(chan watching, 1)
	go func() {
		seen := watching{all: []sample{first}}
		for at, end := first.at, first.at.Add(length); seen.err == nil && at.Before(end); {
			at = at.Add(sampleEvery)
			if seen.err = w.pass(ctx, at); seen.err == nil {
				var s sample
				s, seen.err = w.sample(ctx)
				seen.all = append(seen.all, s)
			}
		}
		watched <- seen
	}()
	return watched
}

// pass lets time go by until then, as long as the sandbox lives.
func (w *world) pass(ctx context.Context, until time.Time) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.sandbox.ended:
		return w.sandbox.alive()
	case <-time.After(time.Until(until)):
		return nil
	}
}

// bySecond returns how many calls came in each whole second.
func bySecond(samples []sample) (calls []int) {
	begin := samples[0]
	for _, s := range samples {
		if s.at.Sub(samples[0].at) >= time.Duration(len(calls)+1)*time.Second {
			calls = append(calls, s.calls-begin.calls)
			begin = s
		}
	}
	return calls
}
