package stream_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// sample returns one counter or gauge by its name and label, as Prometheus
// writes them.
func sample(t *testing.T, registry *prometheus.Registry, name string) (value float64, found bool) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			full := family.GetName()
			for _, label := range metric.GetLabel() {
				full += fmt.Sprintf("{%s=%q}", label.GetName(), label.GetValue())
			}
			if full == name {
				return metric.GetCounter().GetValue() + metric.GetGauge().GetValue(), true
			}
		}
	}
	return 0, false
}

func contextWithStop(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	return ctx, stop
}
