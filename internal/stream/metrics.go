package stream

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
)

// metrics holds every metric of the package.
type metrics struct {
	rebalances     prometheus.Counter
	generation     prometheus.Gauge
	shards         prometheus.Gauge
	uneven         prometheus.Gauge
	commits        prometheus.Counter
	commitFailures *prometheus.CounterVec // code
	joinFailures   *prometheus.CounterVec // code
	read           *prometheus.CounterVec // topic
	fetchErrors    *prometheus.CounterVec // topic
	lost           *prometheus.CounterVec // topic
	written        *prometheus.CounterVec // topic
	writeRetries   *prometheus.CounterVec // topic
	writeFailures  *prometheus.CounterVec // topic
}

// likelyCodes are there from the start, so that an alert on their increase sees
// the first one.
var likelyCodes = []error{
	kafka.IllegalGeneration, kafka.UnknownMemberId, kafka.RebalanceInProgress, kafka.NotCoordinatorForGroup,
	kafka.GroupCoordinatorNotAvailable, kafka.GroupLoadInProgress, kafka.RequestTimedOut, errors.New("network"),
}

func newMetrics(registerer prometheus.Registerer, topics []string) (*metrics, error) {
	m := &metrics{
		rebalances: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_stream_rebalances_total", Help: "Generations of the consumer group that this member took part in."}),
		generation: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reauth_stream_generation", Help: "This member's own count of its generations; restarts with the process."}),
		shards: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reauth_stream_shards_owned", Help: "Shards that this member owns."}),
		uneven: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "reauth_stream_uneven_partitions", Help: "Partitions that the largest sharded topic has more than the smallest; these are not read."}),
		commits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_stream_commits_total", Help: "Offset commits that the coordinator accepted."}),
		commitFailures: byCode("reauth_stream_commit_failures_total", "Offset commits that failed, by error code."),
		joinFailures:   byCode("reauth_stream_join_failures_total", "Tries to join the consumer group that failed, by error code."),
		read:           byTopic("reauth_stream_records_read_total", "Records read, transaction markers and what was aborted included."),
		fetchErrors:    byTopic("reauth_stream_fetch_errors_total", "Errors while reading a partition."),
		lost:           byTopic("reauth_stream_records_lost_total", "Positions that were deleted by retention before they were read."),
		written:        byTopic("reauth_stream_records_written_total", "Records acknowledged by all in-sync replicas."),
		writeRetries:   byTopic("reauth_stream_write_retries_total", "Records written again after an error."),
		writeFailures:  byTopic("reauth_stream_write_failures_total", "Records whose writing was given up; whether they are there is unknown."),
	}
	for _, code := range likelyCodes {
		m.commitFailures.WithLabelValues(errorCode(code))
		m.joinFailures.WithLabelValues(errorCode(code))
	}
	for _, topic := range topics {
		for _, vec := range m.perTopic() {
			vec.WithLabelValues(topic)
		}
	}
	if registerer == nil {
		return m, nil
	}
	for _, collector := range m.all() {
		if err := registerer.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) perTopic() []*prometheus.CounterVec {
	return []*prometheus.CounterVec{m.read, m.fetchErrors, m.lost, m.written, m.writeRetries, m.writeFailures}
}

func (m *metrics) all() []prometheus.Collector {
	all := []prometheus.Collector{
		m.rebalances, m.generation, m.shards, m.uneven, m.commits, m.commitFailures, m.joinFailures,
	}
	for _, vec := range m.perTopic() {
		all = append(all, vec)
	}
	return all
}

func byCode(name, help string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"code"})
}

func byTopic(name, help string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"topic"})
}
