package lending

import (
	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/event"
)

// metrics are those of one Lender; the vendor is a constant label.
type metrics struct {
	lent, borrowed, lapsed prometheus.Counter
	available              prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, vendor event.Vendor) *metrics {
	labels := prometheus.Labels{"vendor": string(vendor)}
	m := &metrics{
		lent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_slots_lent_total", ConstLabels: labels, Help: "Slots of the timetable that this replica gave up for others."}),
		borrowed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_slots_borrowed_total", ConstLabels: labels, Help: "Lent slots that this replica took in time."}),
		lapsed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_slots_lapsed_total", ConstLabels: labels, Help: "Lent slots, of any replica, that nobody took; counted by whoever cleared them away."}),
		available: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reauth_lender_available", ConstLabels: labels, Help: "1 while slots can be lent and borrowed, 0 while each replica keeps to its own."}),
	}
	if reg != nil {
		reg.MustRegister(m.lent, m.borrowed, m.lapsed, m.available)
	}
	return m
}
