package pipeline

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// spendCollector reports the caps at the moment of the scrape.
type spendCollector struct{ p *Pipeline }

var (
	heldBySpendDesc = prometheus.NewDesc("reauth_spend_held_requests",
		"Requests that a cap on what is spent holds back, by cap.", []string{"cap"}, nil)
	shareUsedDesc = prometheus.NewDesc("reauth_spend_share_used_ratio",
		"How much of an owned shard's share of a cap is spent or reserved, 1 being all: of the day's, and of the campaign's that has spent most.",
		[]string{"cap", "partition"}, nil)
)

// Describe implements prometheus.Collector.
func (spendCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- heldBySpendDesc
	ch <- shareUsedDesc
}

// Collect implements prometheus.Collector.
func (c spendCollector) Collect(ch chan<- prometheus.Metric) {
	caps := &c.p.cfg.Spend
	for by, limit := range map[spendCap]event.Amount{dayCap: caps.PerDay, campaignCap: caps.PerCampaign} {
		if limit == 0 {
			continue
		}
		ch <- prometheus.MustNewConstMetric(heldBySpendDesc, prometheus.GaugeValue, float64(c.p.parking.cappedBy()[by]), by.String())
		c.shares(ch, by, limit)
	}
}

// shares reports what is used of each shard's share of a cap.
func (c spendCollector) shares(ch chan<- prometheus.Metric, by spendCap, limit event.Amount) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	today := ledger.DayOf(time.Now())
	for id, s := range c.p.shards {
		s.mu.Lock()
		charged, reserved := s.ledger.SpentOn(today)
		used := charged + reserved
		if by == campaignCap {
			used = s.ledger.MostSpent()
		}
		s.mu.Unlock()
		part := max(1, share(limit, id, max(1, c.p.total)))
		ch <- prometheus.MustNewConstMetric(shareUsedDesc, prometheus.GaugeValue, float64(used)/float64(part), by.String(), strconv.Itoa(id))
	}
}
