package checkout

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

var constLabels = prometheus.Labels{"vendor": "checkout"}

// What a status is of, as metric labels.
const (
	ofAuthentication = "face_authentication"
	ofAttempt        = "attempt"
)

// newUnknownStatuses counts what the adapter cannot act upon: the vendor has
// changed its API, and people may wait for nothing.
func newUnknownStatuses(registerer prometheus.Registerer) (*prometheus.CounterVec, error) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name:        "reauth_unknown_vendor_statuses_total",
		Help:        "Answers with a status that the adapter does not know: taken for pending until the deadline.",
		ConstLabels: constLabels,
	}, []string{"of"})
	return c, born(registerer, c, ofAuthentication, ofAttempt)
}

// newDeliveries counts what came to the webhook.
func newDeliveries(registerer prometheus.Registerer) (*prometheus.CounterVec, error) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name:        "reauth_webhook_deliveries_total",
		Help:        "Requests to the webhook, by what they were.",
		ConstLabels: constLabels,
	}, []string{"result"})
	return c, born(registerer, c, deliveryResults()...)
}

// born registers c, with the values of its label at zero.
func born(registerer prometheus.Registerer, c *prometheus.CounterVec, values ...string) error {
	for _, v := range values {
		c.WithLabelValues(v)
	}
	if registerer == nil {
		return nil
	}
	if err := registerer.Register(c); err != nil {
		return fmt.Errorf("checkout: registering metrics: %w", err)
	}
	return nil
}
