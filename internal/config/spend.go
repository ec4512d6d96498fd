package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"reauth/internal/event"
)

// Spend is how much calls may cost.
type Spend struct {
	// Currency is an ISO 4217 code.
	Currency string
	// PerDay and PerCampaign are 0 where there is no cap.
	PerDay, PerCampaign event.Amount
}

func (s *Spend) describe(g group) {
	one(g, &s.Currency, texts, "currency", "EUR",
		`Currency of all prices and caps: its ISO 4217 code. It stands in the results.`, currencyCode)
	one(g, &s.PerDay, amounts, "per_day", "0",
		`What the calls of one day (UTC) may cost in all, by the vendors' prices; 0 is no cap. Every partition has an equal
		share, of which nothing goes to another: where the requests are spread unevenly, or a share is small beside a
		price, a part stays unspent. Before a call the vendor's highest price is set aside, so it is never exceeded, not by
		a replica that dies either. What does not fit waits for the next day. Partitions that are added bring a share of
		their own, beside what was spent by then: lower the caps first, or wait for the next day.`, upToBillion)
	one(g, &s.PerCampaign, amounts, "per_campaign", "0",
		`What the calls for one campaign_id may cost in all, however long it takes; 0 is no cap. Split over the partitions
		in the same way, added ones included. What does not fit waits until a restart brings a higher cap, or until its
		not_after. The totals live in the ledger: they are kept for 400 days, for the last 10000 campaigns of a
		partition, and as long as the group does not stand still for longer than kafka.retention.ledger allows.`, upToBillion)
}

// Price is what an answer with an outcome costs.
type Price struct {
	Outcome event.Outcome
	Amount  event.Amount
}

// String returns the price as it is written in the file.
func (p Price) String() string { return string(p.Outcome) + "=" + p.Amount.String() }

// PriceOf returns the prices by outcome, nil if there are none.
func (v Vendor) PriceOf() map[event.Outcome]event.Amount {
	if len(v.Prices) == 0 {
		return nil
	}
	prices := make(map[event.Outcome]event.Amount, len(v.Prices))
	for _, p := range v.Prices {
		prices[p.Outcome] = p.Amount
	}
	return prices
}

// highestPrice returns the most that an answer of the vendor costs.
func (v Vendor) highestPrice() (most event.Amount) {
	for _, p := range v.Prices {
		most = max(most, p.Amount)
	}
	return most
}

var (
	amounts = kind[event.Amount]{
		name:  "amount",
		parse: parseAmount,
		like:  "write a decimal amount of at most 6 places, such as 0.10 or 2500",
	}
	prices = kind[Price]{
		name:  "price",
		parse: parsePrice,
		like:  "write an outcome and an amount, such as approved=0.10",
	}
)

func parseAmount(s string) (event.Amount, error) {
	if s == "" {
		return 0, nil
	}
	return event.ParseAmount(s)
}

func parsePrice(s string) (Price, error) {
	outcome, amount, ok := strings.Cut(s, "=")
	if !ok {
		return Price{}, errors.New("is not a price")
	}
	p := Price{Outcome: event.Outcome(strings.TrimSpace(outcome))}
	for _, known := range event.Outcomes() {
		if p.Outcome == known {
			var err error
			p.Amount, err = event.ParseAmount(strings.TrimSpace(amount))
			return p, err
		}
	}
	return Price{}, errors.New("does not begin with an outcome")
}

// currencyCode admits what has the form of an ISO 4217 code.
var currencyCode = rule[string]{
	bounds: "three capital letters",
	fits: func(v string) bool {
		return len(v) == 3 && !strings.ContainsFunc(v, func(r rune) bool { return r < 'A' || 'Z' < r })
	},
}

// upToBillion and upToMillion keep sums of amounts far from overflow.
var upToBillion = rule[event.Amount]{
	bounds: "0 to 1000000000",
	fits:   func(v event.Amount) bool { return v <= 1e9*1e6 },
}

var upToMillion = rule[Price]{
	bounds: "0 to 1000000",
	fits:   func(p Price) bool { return p.Amount <= 1e6*1e6 },
}

// eachOutcomeOnce admits prices that do not contradict each other.
var eachOutcomeOnce = rule[[]Price]{
	bounds: "each outcome at most once",
	fits: func(all []Price) bool {
		seen := map[event.Outcome]bool{}
		for _, p := range all {
			if seen[p.Outcome] {
				return false
			}
			seen[p.Outcome] = true
		}
		return true
	},
}

// contradictions reports caps that cannot be held.
func (s *Spend) contradictions(r *report, c *Config) {
	for key, limit := range s.caps() {
		if limit > 0 && !c.Vendors.priced() {
			r.fault(key, "no enabled vendor has a price, so nothing is counted", "give vendors."+c.Vendors.first()+".prices, or 0 here")
		}
	}
	for _, need := range []struct {
		key    string
		limit  event.Amount
		window time.Duration
	}{
		{"spend.per_day", s.PerDay, day},
		// Longer than a former owner may still write: then the first summary is
		// written.
		{"spend.per_campaign", s.PerCampaign, 2 * time.Hour},
	} {
		if need.limit > 0 && c.Ledger.Window < need.window {
			r.fault("ledger.window", showDuration(c.Ledger.Window)+" is too short to count for "+need.key,
				"give at least "+showDuration(need.window), need.key)
			return
		}
	}
}

// doubts reports caps that hold less, or more, than they seem to.
func (s *Spend) doubts(r *report, c *Config) {
	if s.PerDay == 0 && s.PerCampaign == 0 {
		return
	}
	partitions := max(1, c.Kafka.Partitions)
	for _, n := range c.Vendors.all() {
		if !n.settings.Enabled {
			continue
		}
		if len(n.settings.Prices) == 0 {
			r.fault(n.key("prices"), "without prices the vendor's calls are not counted, and no cap of spend holds them back", "give prices")
			continue
		}
		highest := n.settings.highestPrice()
		for key, limit := range s.caps() {
			if part := limit / event.Amount(partitions); limit > 0 && part < highest {
				r.fault(key, fmt.Sprintf("a share of %s for each of %d partitions is less than a call of %s may cost, %s: it is never spent",
					part, partitions, n.name, highest), "give more")
			}
		}
	}
}

// caps returns the caps by key.
func (s *Spend) caps() map[string]event.Amount {
	return map[string]event.Amount{"spend.per_day": s.PerDay, "spend.per_campaign": s.PerCampaign}
}

// priced tells whether an enabled vendor has a price.
func (v *Vendors) priced() bool {
	for _, n := range v.all() {
		if n.settings.Enabled && n.settings.highestPrice() > 0 {
			return true
		}
	}
	return false
}

// first returns the name of the first enabled vendor.
func (v *Vendors) first() string {
	for _, name := range v.Enabled() {
		return string(name)
	}
	return string(event.Argos)
}
