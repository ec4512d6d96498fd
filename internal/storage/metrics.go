package storage

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/event"
)

// metrics are all of the package's metrics.
type metrics struct {
	bytes     prometheus.Gauge
	kept      prometheus.Gauge
	limit     prometheus.Gauge
	wait      prometheus.Histogram
	duration  prometheus.Histogram
	fetches   *prometheus.CounterVec
	refetches prometheus.Counter
	hedges    *prometheus.CounterVec
	disposed  *prometheus.CounterVec
}

// fetched is the kind of a fetch that brought a selfie.
const fetched = "fetched"

func newMetrics() *metrics {
	m := &metrics{
		bytes: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reauth_selfie_bytes",
			Help: "Bytes of memory reserved for selfies in flight.",
		}),
		kept: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reauth_selfie_allocated_bytes",
			Help: "Bytes of memory allocated for selfies, in use or kept for reuse.",
		}),
		limit: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reauth_selfie_limit_bytes",
			Help: "Most bytes of memory that may be reserved for selfies.",
		}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "reauth_selfie_memory_wait_seconds",
			Help:    "Time that a fetch waited for memory before its GET.",
			Buckets: []float64{.001, .01, .1, .5, 1, 5, 10, 30, 60},
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "reauth_selfie_fetch_duration_seconds",
			Help:    "Time from a GET of a selfie to its last byte or its error, or to the last byte of the hedge that was faster.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_selfie_fetches_total",
			Help: "Fetches of selfies by how they ended; reason is empty unless the selfie is to blame.",
		}, []string{"kind", "reason"}),
		refetches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_selfie_refetches_total",
			Help: "GETs that were broken off and repeated because the selfie was larger than its estimate and memory was short.",
		}),
		hedges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_selfie_hedges_total",
			Help: "Second GETs that were due because the first took longer than most: the one that brought the selfie, in vain, or not made for want of memory or budget.",
		}, []string{"result"}),
		disposed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_selfies_disposed_total",
			Help: "Selfies that were to be tagged or deleted after the verdict, by what came of it: a result, or the kind of an error.",
		}, []string{"action", "result"}),
	}
	for _, action := range []Action{Tag, Delete} {
		for _, result := range action.results() {
			m.disposed.WithLabelValues(string(action), string(result))
		}
		for _, kind := range []Kind{Fault, Transient, Throttled, Refused, Interrupted} {
			m.disposed.WithLabelValues(string(action), kind.String())
		}
	}
	for _, result := range []string{hedgeWon, hedgeLost, hedgeRefused} {
		m.hedges.WithLabelValues(result)
	}
	m.fetches.WithLabelValues(fetched, "")
	for _, kind := range []Kind{Fault, Transient, Throttled, Interrupted} {
		m.fetches.WithLabelValues(kind.String(), "")
	}
	m.fetches.WithLabelValues(Refused.String(), string(event.SelfieForbidden))
	for _, reason := range unusableReasons {
		m.fetches.WithLabelValues(Unusable.String(), string(reason))
	}
	return m
}

// register hands the metrics to r, which may be nil.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m.bytes, m.kept, m.limit, m.wait, m.duration, m.fetches, m.refetches, m.hedges, m.disposed} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("registering selfie metrics: %w", err)
		}
	}
	return nil
}

// ended counts a fetch; err is nil when it brought a selfie.
func (m *metrics) ended(err *Error) {
	if err == nil {
		m.fetches.WithLabelValues(fetched, "").Inc()
		return
	}
	m.fetches.WithLabelValues(err.Kind.String(), string(err.Reason)).Inc()
}

// did counts a disposal; fault is nil when it came to a result.
func (m *metrics) did(action Action, result Result, fault *Error) {
	came := string(result)
	if fault != nil {
		came = fault.Kind.String()
	}
	m.disposed.WithLabelValues(string(action), came).Inc()
}

func (m *metrics) waited(since time.Time) { m.wait.Observe(time.Since(since).Seconds()) }

func (m *metrics) got(since time.Time) { m.duration.Observe(time.Since(since).Seconds()) }
