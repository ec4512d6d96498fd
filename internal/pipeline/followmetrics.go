package pipeline

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// followMetrics are the metrics of what is done after a verdict.
type followMetrics struct {
	tries    *prometheus.CounterVec
	givenUp  *prometheus.CounterVec
	archived *prometheus.CounterVec
	failures *prometheus.CounterVec
	paused   *prometheus.GaugeVec
}

// How a try ended, as metric labels.
const (
	triedDone   = "done"
	triedFailed = "failed"
)

// Why pictures were not archived, as metric labels.
const (
	// failedVendor: the vendor's list, or the link, or what came from there.
	failedVendor = "vendor"
	// failedNone: the vendor has no picture.
	failedNone = "no_picture"
	// failedUnusable: it is no whole picture, or too large.
	failedUnusable = "unusable"
	// failedStore: it could not be written.
	failedStore = "store"
)

func newFollowMetrics(reg prometheus.Registerer, p *Pipeline) *followMetrics {
	m := &followMetrics{
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_follow_ups_total", Help: "Tries of what is done after a verdict, by how they ended."}, []string{"vendor", "task", "result"}),
		givenUp: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_follow_ups_given_up_total", Help: "What should have been done after a verdict and was given up; the log names the request."}, []string{"vendor", "task"}),
		archived: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_pictures_archived_total", Help: "Pictures of a vendor's written to the archive, repeats included."}, []string{"vendor"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_archive_failures_total", Help: "Tries to archive a request's pictures that failed, by reason."}, []string{"vendor", "reason"}),
		paused: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "reauth_archive_paused", Help: "1 while archiving is paused by a fault that every picture would meet."}, []string{"vendor"}),
	}
	for vendor := range p.cfg.FollowUps {
		name := string(vendor)
		m.archived.WithLabelValues(name)
		m.paused.WithLabelValues(name)
		for _, reason := range []string{failedVendor, failedNone, failedUnusable, failedStore} {
			m.failures.WithLabelValues(name, reason)
		}
		for _, task := range ledger.Tasks() {
			m.givenUp.WithLabelValues(name, string(task))
			m.tries.WithLabelValues(name, string(task), triedDone)
			m.tries.WithLabelValues(name, string(task), triedFailed)
		}
	}
	if reg != nil {
		reg.MustRegister(m.tries, m.givenUp, m.archived, m.failures, m.paused, followCollector{p})
	}
	return m
}

// ended counts a try.
func (m *followMetrics) ended(vendor event.Vendor, task ledger.Task, err error) {
	if err == nil || errors.Is(err, errNotOffered) {
		m.tries.WithLabelValues(string(vendor), string(task), triedDone).Inc()
		return
	}
	m.tries.WithLabelValues(string(vendor), string(task), triedFailed).Inc()
	if task == ledger.ArchiveTask {
		m.failures.WithLabelValues(string(vendor), failureReason(err)).Inc()
	}
}

func (m *followMetrics) gaveUp(vendor event.Vendor, task ledger.Task) {
	m.givenUp.WithLabelValues(string(vendor), string(task)).Inc()
}

// failureReason says why pictures were not archived.
func failureReason(err error) string {
	var vendor *vendors.Error
	var store *storage.Error
	switch {
	case errors.Is(err, errNoPicture):
		return failedNone
	case errors.As(err, &vendor), errors.Is(err, storage.ErrSource):
		return failedVendor
	case errors.As(err, &store) && store.Kind == storage.Unusable:
		return failedUnusable
	}
	return failedStore
}

// followCollector reports what is left to be done at the moment of the scrape.
type followCollector struct{ p *Pipeline }

var (
	followUpsDesc   = prometheus.NewDesc("reauth_follow_ups_held", "Requests with a verdict about which something is left to be done, of the owned shards.", nil, nil)
	followLimitDesc = prometheus.NewDesc("reauth_follow_ups_allowed", "Most of them that the owned shards may have before no further request is begun.", nil, nil)
)

// Describe implements prometheus.Collector.
func (followCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- followUpsDesc
	ch <- followLimitDesc
}

// Collect implements prometheus.Collector.
func (c followCollector) Collect(ch chan<- prometheus.Metric) {
	each := c.p.followUpsAllowed()
	c.p.mu.Lock()
	held, allowed := 0, 0
	for _, s := range c.p.shards {
		s.mu.Lock()
		held += s.ledger.FollowUps()
		s.mu.Unlock()
		allowed += each
	}
	c.p.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(followUpsDesc, prometheus.GaugeValue, float64(held))
	ch <- prometheus.MustNewConstMetric(followLimitDesc, prometheus.GaugeValue, float64(allowed))
}
