package pipeline

import (
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The number of replicas that is wanted follows from the limits, and not from the
// lag: the quota is shared, so what is beyond the replicas that can use it up adds
// nothing. With work waiting it is the least that
//
//   - can have the calls in flight that a limit takes: rate × latency ÷ max_in_flight
//   - has the CPU for them: rate × CPU seconds per call ÷ (0.7 × CPUs)
//
// and with none 1. A vendor without a limit takes all that there is, so for it the
// lag counts. Every replica with work says the same but for jitter: limits and
// settings are the group's, and what is measured is so on calls to the same vendor.

const (
	// cpuTarget is how busy a replica's CPUs may be: the rest is for rebalances,
	// restores and the garbage collector.
	cpuTarget = .7
	// lagPerReplica is what one more replica is worth without a limit.
	lagPerReplica = 3000
	// loadCalls is over how many calls latencies are averaged, with exponential
	// weights.
	loadCalls = 128
	// CPU is measured over spans of at least cpuSpan with at least cpuCalls calls:
	// with fewer it would be that of an idle process.
	cpuSpan  = 10 * time.Second
	cpuCalls = 100
)

// demand is what a lane asks of its replicas.
type demand struct {
	perSecond   float64 // the limit of the group; 0: none
	latency     time.Duration
	maxInFlight int
}

// replicasWanted returns the least number of replicas for the lanes that have work
// waiting, 1 to the number of shards.
func replicasWanted(demands []demand, cpuPerCall time.Duration, cpus int, lag int64, shards int) int {
	n, perSecond := 1, 0.
	for _, d := range demands {
		perSecond += d.perSecond
		if d.perSecond == 0 {
			n = max(n, atLeast(float64(lag)/lagPerReplica))
		}
		n = max(n, atLeast(d.perSecond*d.latency.Seconds()/float64(d.maxInFlight)))
	}
	n = max(n, atLeast(perSecond*cpuPerCall.Seconds()/(cpuTarget*float64(cpus))))
	return min(n, max(1, shards))
}

// atLeast rounds up, but for what is whole and not quite so by rounding.
func atLeast(x float64) int { return int(math.Ceil(min(x, 1e6) - 1e-9)) }

// calling is how long a lane's calls take that are answered. Others say nothing: a
// vendor that is out is not better served by more replicas. It is safe for
// concurrent use.
type calling struct {
	mu      sync.Mutex // guards what follows
	calls   int64
	seconds float64
}

func (c *calling) observe(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.seconds += (took.Seconds() - c.seconds) / float64(min(c.calls, loadCalls))
}

// get returns the number of calls and the smoothed latency, 0 before the first.
func (c *calling) get() (calls int64, latency time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls, time.Duration(c.seconds * float64(time.Second))
}

// cpuMeter is how much CPU the process takes per call, all that it does included.
// It is safe for concurrent use.
type cpuMeter struct {
	used func() time.Duration // by the process so far

	mu      sync.Mutex // guards what follows
	at      time.Time  // when the span began
	before  time.Duration
	calls   int64
	perCall time.Duration
}

// read returns the smoothed CPU time per call, 0 before it is known. calls is how
// many there were so far.
func (m *cpuMeter) read(now time.Time, calls int64) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.at.IsZero() && now.Sub(m.at) < cpuSpan {
		return m.perCall
	}
	used := m.used()
	if made := calls - m.calls; made >= cpuCalls && !m.at.IsZero() {
		sample := (used - m.before) / time.Duration(made)
		if m.perCall == 0 {
			m.perCall = sample
		}
		m.perCall += (sample - m.perCall) / 4
	}
	m.at, m.before, m.calls = now, used, calls
	return m.perCall
}

// replicasWanted is the function of that name for this pipeline at present.
func (p *Pipeline) replicasWanted(now time.Time) int {
	var demands []demand
	var calls int64
	for _, l := range p.lines {
		made, latency := l.calling.get()
		calls += made
		if l.queue.len() > 0 {
			demands = append(demands, demand{l.lane.PerSecond(), latency, l.lane.MaxInFlight()})
		}
	}
	cpuPerCall := p.cpu.read(now, calls)
	p.mu.Lock()
	defer p.mu.Unlock()
	var lag int64
	for _, s := range p.shards {
		lag += s.lag()
	}
	if owned := len(p.shards); owned > 0 {
		lag = lag * int64(p.total) / int64(owned) // of the group, if it is spread evenly
	}
	return replicasWanted(demands, cpuPerCall, runtime.GOMAXPROCS(0), lag, p.total)
}

// scalingGauge reports what is wanted at the moment of the scrape.
func (p *Pipeline) scalingGauge() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "reauth_replicas_wanted",
		Help: "Least number of replicas that use up the limits, by latency and CPU, while work waits; else 1. Take the highest of all replicas.",
	}, func() float64 { return float64(p.replicasWanted(time.Now())) })
}
