package vendors

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/event"
)

// laneMetrics are the metrics of one lane; the vendor is a constant label.
type laneMetrics struct {
	reg        prometheus.Registerer // may be nil
	vendor     event.Vendor
	calls      *prometheus.CounterVec
	duration   prometheus.Histogram
	permitWait prometheus.Histogram
	inFlight   prometheus.Gauge
	paused     prometheus.Gauge
	faults     prometheus.Counter
	breaker    prometheus.Gauge
	ceiling    prometheus.Gauge
	missed     prometheus.Counter
	late       prometheus.Counter
	clockSet   prometheus.Counter
	panics     prometheus.Counter
}

// callResults are the values of the label result: how calls can end.
var callResults = []string{
	"verdict", Transient.String(), Throttled.String(), LaneFault.String(), Refused.String(), Unexplained.String(), "interrupted",
}

// callSeconds reach from a quick verdict to the longest timeout in use.
var callSeconds = []float64{.05, .1, .2, .3, .5, .75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60}

func newLaneMetrics(reg prometheus.Registerer, vendor event.Vendor) *laneMetrics {
	labels := prometheus.Labels{"vendor": string(vendor)}
	m := &laneMetrics{
		reg: reg, vendor: vendor,
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_vendor_calls_total", ConstLabels: labels,
			Help: "Vendor calls that were made, by how they ended."}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "reauth_vendor_call_duration_seconds", ConstLabels: labels, Buckets: callSeconds,
			NativeHistogramBucketFactor: 1.1, Help: "Time from sending a vendor call to its end."}),
		permitWait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "reauth_permit_wait_seconds", ConstLabels: labels, Buckets: callSeconds,
			NativeHistogramBucketFactor: 1.1, Help: "Time a ready request waited for its permit."}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reauth_vendor_calls_in_flight", ConstLabels: labels, Help: "Permits in use."}),
		paused: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reauth_lane_paused", ConstLabels: labels, Help: "1 while the lane is paused by a fault that every call would meet."}),
		faults: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_lane_faults_total", ConstLabels: labels, Help: "Faults that paused the lane or kept it paused."}),
		breaker: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reauth_breaker_state", ConstLabels: labels, Help: "0 closed, 1 half-open, 2 open."}),
		ceiling: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reauth_lane_ceiling_per_second", ConstLabels: labels, Help: "Calls per second that the vendor's refusals leave, group-wide; 0 without a limit."}),
		missed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_slots_missed_total", ConstLabels: labels, Help: "Slots of the timetable that passed before the call could be made."}),
		late: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_calls_late_total", ConstLabels: labels, Help: "Calls that were late for their slot, as after connecting anew; each took another."}),
		clockSet: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_clock_set_total", ConstLabels: labels, Help: "Times that the wall clock was set by more than the headroom pays for; some slots then pass unused."}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_vendor_panics_total", ConstLabels: labels, Help: "Answers of the vendor over which its adapter panicked: a fault of reauth's."}),
	}
	for _, r := range callResults {
		m.calls.WithLabelValues(r)
	}
	if reg != nil {
		reg.MustRegister(m.calls, m.duration, m.permitWait, m.inFlight, m.paused, m.faults, m.breaker, m.ceiling, m.missed, m.late, m.clockSet, m.panics)
	}
	return m
}

// limits registers the metrics of the windows in which a lane counts calls.
func (m *laneMetrics) limits(l *Lane) {
	if m.reg == nil {
		return
	}
	for i, w := range l.quota.limits.longer {
		labels := prometheus.Labels{"vendor": string(m.vendor), "window": w.label()}
		m.reg.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "reauth_limit_used", ConstLabels: labels,
				Help: "Calls within the window that count against this replica's share of a limit."},
				func() float64 { used, _ := l.use(i); return float64(used) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "reauth_limit_share", ConstLabels: labels,
				Help: "Calls that this replica may make within the window, by the shards that it owns; 0 while the limit is spread evenly instead."},
				func() float64 { _, share := l.use(i); return float64(share) }))
	}
}

func (m *laneMetrics) ended(err error, elapsed time.Duration, ceiling float64, inFlight int) {
	result := "verdict"
	if err != nil {
		result = kindOf(err)
	}
	m.calls.WithLabelValues(result).Inc()
	m.duration.Observe(elapsed.Seconds())
	m.ceiling.Set(ceiling)
	m.inFlight.Set(float64(inFlight))
}
