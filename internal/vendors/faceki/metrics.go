package faceki

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// newOtherPerson makes the adapter's only metric, a security signal: a selfie
// that belongs to somebody enrolled, but not to the person that was expected.
func newOtherPerson(registerer prometheus.Registerer) (prometheus.Counter, error) {
	c := prometheus.NewCounter(prometheus.CounterOpts{
		Name:        "reauth_matched_other_person_total",
		Help:        "Selfies that the vendor recognised as somebody else than the expected person.",
		ConstLabels: prometheus.Labels{"vendor": "faceki"},
	})
	if registerer == nil {
		return c, nil
	}
	if err := registerer.Register(c); err != nil {
		return nil, fmt.Errorf("faceki: registering metrics: %w", err)
	}
	return c, nil
}
