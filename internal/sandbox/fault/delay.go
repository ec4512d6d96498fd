package fault

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263478740408408

// tail bounds a log-normal sample at this many times its 99th percentile, so
// that a rare sample cannot outlast every deadline in a test.
const tail = 3

// Delay is a distribution of durations. The zero value is no delay. Its text
// form is one of
//
//	300ms                fixed
//	200ms-800ms          uniform between the two
//	p50=300ms,p99=2s     log-normal with these percentiles, at most 3 times p99
//	300ms,2s             the same, in short
//
// A Delay is a value and may be copied and shared.
type Delay struct {
	shape     shape
	low, high time.Duration
}

type shape uint8

const (
	fixed shape = iota
	uniform
	logNormal
)

// Fixed is always d.
func Fixed(d time.Duration) Delay { return Delay{low: d, high: d} }

// ParseDelay reads the text form.
func ParseDelay(text string) (Delay, error) {
	text = strings.ReplaceAll(text, " ", "")
	if text == "" {
		return Delay{}, nil
	}
	d, first, second := Delay{}, text, text
	switch {
	case strings.Contains(text, ","):
		d.shape = logNormal
		first, second, _ = strings.Cut(text, ",")
		first, second = strings.TrimPrefix(first, "p50="), strings.TrimPrefix(second, "p99=")
	case strings.Contains(text, "-"):
		d.shape = uniform
		first, second, _ = strings.Cut(text, "-")
	}
	var err error
	if d.low, err = time.ParseDuration(first); err != nil {
		return Delay{}, fmt.Errorf("reading delay %q: %w", text, err)
	}
	if d.high, err = time.ParseDuration(second); err != nil {
		return Delay{}, fmt.Errorf("reading delay %q: %w", text, err)
	}
	if d.low < 0 || d.high < d.low || d.shape == logNormal && d.low == 0 {
		return Delay{}, fmt.Errorf("reading delay %q: want 0 ≤ first ≤ second, and a p50 above 0", text)
	}
	return d, nil
}

// String returns the text form, which ParseDelay reads back to the same Delay.
func (d Delay) String() string {
	switch d.shape {
	case uniform:
		return fmt.Sprintf("%s-%s", d.low, d.high)
	case logNormal:
		return fmt.Sprintf("p50=%s,p99=%s", d.low, d.high)
	default:
		return d.low.String()
	}
}

// MarshalText implements encoding.TextMarshaler.
func (d Delay) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Delay) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDelay(string(text))
	return err
}

// Set and Type make a *Delay a command line flag.
func (d *Delay) Set(text string) error { return d.UnmarshalText([]byte(text)) }

// Type names the flag's value in help texts.
func (d *Delay) Type() string { return "delay" }

// Sample draws one duration.
func (d Delay) Sample(r *rand.Rand) time.Duration {
	switch d.shape {
	case uniform:
		return d.low + time.Duration(r.Int64N(int64(d.high-d.low)+1))
	case logNormal:
		sigma := math.Log(float64(d.high)/float64(d.low)) / z99
		sample := float64(d.low) * math.Exp(sigma*r.NormFloat64())
		return time.Duration(min(sample, tail*float64(d.high)))
	default:
		return d.low
	}
}
