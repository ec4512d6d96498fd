package fault

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestParseDelayReadsEveryShapeAndStringWritesItBack(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "0s",
		"300ms":              "300ms",
		"200ms-800ms":        "200ms-800ms",
		"300ms,2s":           "p50=300ms,p99=2s",
		"p50=300ms, p99=2s":  "p50=300ms,p99=2s",
		"p50=300ms,p99=0.3s": "p50=300ms,p99=300ms",
	} {
		d, err := ParseDelay(text)
		if err != nil {
			t.Errorf("ParseDelay(%q): %v", text, err)
			continue
		}
		if got := d.String(); got != want {
			t.Errorf("ParseDelay(%q).String() = %q, want %q", text, got, want)
		}
		again, err := ParseDelay(d.String())
		if err != nil || again != d {
			t.Errorf("ParseDelay(%q) = %v, %v, want %v", d, again, err, d)
		}
	}
}

func TestParseDelayRefusesWhatIsNoDistribution(t *testing.T) {
	for _, text := range []string{"soon", "300", "-1s", "2s-1s", "2s,1s", "0s,1s", "1s-", ",1s"} {
		if d, err := ParseDelay(text); err == nil {
			t.Errorf("ParseDelay(%q) = %v, want an error", text, d)
		}
	}
}

func TestDelaysFollowTheDistribution(t *testing.T) {
	const n = 20_000
	sample := func(text string) []time.Duration {
		d, err := ParseDelay(text)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 2))
		samples := make([]time.Duration, n)
		for i := range samples {
			samples[i] = d.Sample(r)
		}
		slices.Sort(samples)
		return samples
	}
	between := func(what string, got, low, high time.Duration) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s = %s, want %s to %s", what, got, low, high)
		}
	}

	f := sample("300ms")
	between("fixed, least", f[0], 300*time.Millisecond, 300*time.Millisecond)
	between("fixed, most", f[n-1], 300*time.Millisecond, 300*time.Millisecond)

	u := sample("200ms-800ms")
	between("uniform, least", u[0], 200*time.Millisecond, 205*time.Millisecond)
	between("uniform, median", u[n/2], 485*time.Millisecond, 515*time.Millisecond)
	between("uniform, most", u[n-1], 795*time.Millisecond, 800*time.Millisecond)

	l := sample("300ms,2s")
	between("log-normal, median", l[n/2], 285*time.Millisecond, 315*time.Millisecond)
	between("log-normal, p99", l[n*99/100], 1800*time.Millisecond, 2200*time.Millisecond)
	between("log-normal, most", l[n-1], 2*time.Second, 6*time.Second)
}
