package pipeline

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/event"
)

// metrics are the metrics of the pipeline. No label holds an id: they would
// name people, and grow without bound.
type metrics struct {
	requests    *prometheus.CounterVec
	results     *prometheus.CounterVec
	reasons     *prometheus.CounterVec
	deadLetters *prometheus.CounterVec
	retries     prometheus.Counter
	kept        prometheus.Counter
	afterMove   prometheus.Counter
	stuck       prometheus.Counter
	lost        prometheus.Counter
	duplicates  prometheus.Counter
	abandoned   prometheus.Counter
	republished prometheus.Counter
	invitations *prometheus.CounterVec
	revised     *prometheus.CounterVec
	undisposed  prometheus.Counter
	unreadable  *prometheus.CounterVec
	unknown     *prometheus.CounterVec
	spend       *prometheus.CounterVec

	duplicateSpend *prometheus.CounterVec
	possibleDouble prometheus.Counter
	duration       *prometheus.HistogramVec
	follow         *followMetrics
}

// requestSeconds reach from an idle system to a backlog of a day.
var requestSeconds = []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 28800, 86400}

func newMetrics(reg prometheus.Registerer, p *Pipeline) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_requests_total", Help: "Records read from the request topics."}, []string{"topic"}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_results_total", Help: "Results published, by how the request ended."}, []string{"vendor", "outcome"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_result_reasons_total", Help: "Reasons in the results published."}, []string{"vendor", "reason"}),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_dead_letters_total", Help: "Dead letters, by the step that failed and the reason."}, []string{"stage", "reason"}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_retries_total", Help: "Attempts that failed and will be repeated after a back-off."}),
		kept: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_requests_kept_total", Help: "Attempts that ended without a word about the request: lane or store paused, permit lost."}),
		afterMove: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_finished_after_move_total", Help: "Requests finished for a shard that had moved meanwhile; the new owner finds them in the ledger."}),
		stuck: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_stuck_total", Help: "Times that a partition could not be read or written for a reason that needs a person."}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_offsets_lost_total", Help: "Offsets that the topic's retention deleted before they were read."}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_duplicates_total", Help: "Records skipped because their request is answered or being looked after."}),
		abandoned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_abandoned_total", Help: "Requests left to a shard's new owner because the claim had ended."}),
		republished: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_republished_total", Help: "Results published for an owner before us that had answered and not published."}),
		invitations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_invitations_total", Help: "Pending events published: a person is asked to do their part."}, []string{"vendor"}),
		revised: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_verdicts_revised_total", Help: "Results with a higher revision, because the vendor changed its verdict."}, []string{"vendor", "outcome"}),
		undisposed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_selfies_undisposed_total", Help: "Selfies that could not be tagged or deleted as the settings say."}),
		unreadable: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_unreadable_records_total", Help: "Records on topics of our own that could not be read and were ignored."}, []string{"topic"}),
		unknown: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_unknown_outcomes_total", Help: "Calls of unknown outcome, by what became of them: found at the vendor, not found there and repeated, repeated without asking, held, withdrawn instead of repeated."}, []string{"resolution"}),
		possibleDouble: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "reauth_possible_double_charges_total", Help: "Calls of unknown outcome that were repeated without asking the vendor."}),
		spend: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_spend_total", Help: "What the results published cost by the prices that are set, in units of spend.currency."}, []string{"vendor"}),
		duplicateSpend: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "reauth_duplicate_spend_total", Help: "What repeats of calls of unknown outcome may have cost in addition, at most, in units of spend.currency."}, []string{"vendor"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "reauth_request_duration_seconds", Buckets: requestSeconds, NativeHistogramBucketFactor: 1.1,
			Help: "Time from fetching a request to its published result."}, []string{"vendor"}),
	}
	m.follow = newFollowMetrics(reg, p)
	m.bear(p)
	if reg != nil {
		reg.MustRegister(spendCollector{p}, m.spend, m.duplicateSpend)
		reg.MustRegister(m.requests, m.results, m.reasons, m.deadLetters, m.retries, m.kept, m.afterMove,
			m.stuck, m.lost, m.duplicates, m.abandoned, m.republished, m.undisposed, m.revised, m.invitations, m.unreadable, m.unknown, m.possibleDouble, m.duration, storePausedGauge(p.store), shardCollector{p}, p.scalingGauge(), p.clocks.gauge())
	}
	return m
}

func storePausedGauge(s *storeValve) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "reauth_selfie_store_paused", Help: "1 while fetching selfies from a bucket is paused by a fault that every fetch from it would meet.",
	}, func() float64 {
		if s.fault() != nil {
			return 1
		}
		return 0
	})
}

// bear makes the series whose labels are known beforehand, so that their first
// increase is seen as one.
func (m *metrics) bear(p *Pipeline) {
	m.requests.WithLabelValues(p.cfg.Topics.Requests)
	m.unreadable.WithLabelValues(p.cfg.Topics.Ledger)
	m.unreadable.WithLabelValues(p.cfg.Topics.Signals)
	for _, resolution := range []string{resolvedFound, resolvedNotFound, resolvedRepeat, resolvedHold, resolvedWithdraw} {
		m.unknown.WithLabelValues(resolution)
	}
	for vendor := range p.parts.Lanes {
		for _, outcome := range event.Outcomes() {
			m.results.WithLabelValues(string(vendor), string(outcome))
		}
		m.duration.WithLabelValues(string(vendor))
		if _, priced := p.cfg.Spend.Prices[vendor]; priced {
			m.spend.WithLabelValues(string(vendor))
			m.duplicateSpend.WithLabelValues(string(vendor))
		}
	}
}

func (m *metrics) published(r event.Result, took time.Duration) {
	m.results.WithLabelValues(string(r.Vendor), string(r.Outcome)).Inc()
	m.duration.WithLabelValues(string(r.Vendor)).Observe(took.Seconds())
	for _, reason := range r.Reasons {
		m.reasons.WithLabelValues(string(r.Vendor), string(reason)).Inc()
	}
}

func (m *metrics) dead(stage event.Stage, reason event.Reason) {
	m.deadLetters.WithLabelValues(string(stage), string(reason)).Inc()
}

// shardCollector reports what is owned and open at the moment of the scrape.
type shardCollector struct{ p *Pipeline }

var (
	ownedDesc  = prometheus.NewDesc("reauth_shards_owned", "Shards that this replica owns.", nil, nil)
	lagDesc    = prometheus.NewDesc("reauth_shard_lag_records", "Records of an owned shard that are not done.", []string{"partition"}, nil)
	openDesc   = prometheus.NewDesc("reauth_requests_open", "Requests fetched and not done, by where they are.", []string{"where"}, nil)
	openQueued = "queued"
	openParked = "parked"
	// openAwaiting: the parked ones that wait for news from the vendor.
	openAwaiting = "awaiting"
	openAll      = "all"
	// openPaused: the parked ones that an order holds back.
	openPaused = "paused"
	pausedDesc = prometheus.NewDesc("reauth_paused_by_order", "Vendors and campaigns that are paused by an operator's order.", []string{"target"}, nil)
)

// Describe implements prometheus.Collector.
func (shardCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- ownedDesc
	ch <- lagDesc
	ch <- openDesc
	ch <- pausedDesc
}

// Collect implements prometheus.Collector.
func (c shardCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	c.p.mu.Lock()
	open := 0
	for id, s := range c.p.shards {
		gauge(lagDesc, float64(s.lag()), strconv.Itoa(id))
		open += len(s.room)
	}
	gauge(ownedDesc, float64(len(c.p.shards)))
	c.p.mu.Unlock()
	queued := 0
	for _, l := range c.p.lines {
		queued += l.queue.len()
	}
	gauge(openDesc, float64(open), openAll)
	gauge(openDesc, float64(queued), openQueued)
	parked, awaiting := c.p.parking.len()
	gauge(openDesc, float64(parked), openParked)
	gauge(openDesc, float64(awaiting), openAwaiting)
	gauge(openDesc, float64(c.p.parking.countHeld()), openPaused)
	vendors := 0
	for _, l := range c.p.lines {
		if l.brake.on() {
			vendors++
		}
	}
	gauge(pausedDesc, float64(vendors), "vendor")
	gauge(pausedDesc, float64(c.p.orders.pausedCampaigns()), "campaign")
}
