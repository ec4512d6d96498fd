package campaign

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"reauth/internal/event"
)

// Report says what became of a campaign's requests. Total is the sum of
// Answered, Refused and Missing, and Answered the sum over Outcomes.
type Report struct {
	Campaign string `json:"campaign_id"`
	Complete bool   `json:"complete"`
	Total    int    `json:"total"`
	// Answered requests have a result.
	Answered int `json:"answered"`
	// Refused requests have a dead letter and will have no result.
	Refused int `json:"refused"`
	// Missing requests have neither, so far.
	Missing int `json:"missing"`
	// Unexpected is how many of Answered and Refused were not awaited.
	Unexpected int `json:"unexpected"`
	// Waiting is how many of Missing wait for the person.
	Waiting int `json:"waiting_for_person"`
	// NotFinal is how many of Answered the vendor may still correct.
	NotFinal int `json:"not_final"`
	// Corrected requests have results of more than one revision.
	Corrected int `json:"corrected"`
	// Repeated requests have more than one result of the same revision;
	// Repeats counts the results that were too many.
	Repeated int `json:"repeated"`
	Repeats  int `json:"repeats"`
	// Calls were made at vendors, by the latest results; CalledAgain is how
	// many requests took more than one.
	Calls       int64 `json:"calls"`
	CalledAgain int   `json:"called_again"`
	// DeadLetters are the campaign's records in the dead-letter topic.
	DeadLetters int `json:"dead_letters"`
	// Unreadable events in the topic of results may be anybody's.
	Unreadable int             `json:"unreadable"`
	Outcomes   []OutcomeReport `json:"outcomes"`
	// Vendors has the same results by vendor.
	Vendors []VendorReport `json:"vendors"`
	// Latency is nil when there is no result.
	Latency *Latency `json:"latency_ms,omitempty"`
}

// VendorReport counts the results that rest on one vendor's word. Requests is
// the sum over Outcomes, whose Reasons are left out.
type VendorReport struct {
	Vendor   event.Vendor    `json:"vendor"`
	Requests int             `json:"requests"`
	Outcomes []OutcomeReport `json:"outcomes"`
}

// OutcomeReport counts the results of one outcome. Requests is the sum over
// Reasons.
type OutcomeReport struct {
	Outcome  event.Outcome  `json:"outcome"`
	Requests int            `json:"requests"`
	Reasons  []ReasonReport `json:"reasons,omitempty"`
}

// ReasonReport counts the results that give the same reasons, joined by a plus
// sign; empty when they give none.
type ReasonReport struct {
	Reasons  string `json:"reasons"`
	Requests int    `json:"requests"`
}

// Latency is the spread of timings_ms.total, from the request's record to its
// result, in milliseconds. A percentile is the smallest value that at least as
// many per cent of the results do not exceed.
type Latency struct {
	P50 int64 `json:"p50"`
	P90 int64 `json:"p90"`
	P95 int64 `json:"p95"`
	P99 int64 `json:"p99"`
	Max int64 `json:"max"`
}

// Report returns the account as it stands. It goes over all requests.
func (p *Progress) Report() Report {
	r := Report{
		Campaign:    p.campaign,
		Complete:    p.Complete(),
		Answered:    p.answered,
		Refused:     p.ended - p.answered,
		Missing:     max(0, p.Awaited()-p.Ended()),
		Repeats:     p.repeats,
		DeadLetters: p.deadLetters,
		Unreadable:  p.unreadable,
	}
	r.Total = r.Answered + r.Refused + r.Missing
	r.Unexpected = r.Total - max(p.Awaited(), 0)
	counts := make([]int, len(p.labels))
	latencies := make([]uint32, 0, p.answered)
	for _, e := range p.entries {
		r.add(e)
		counts[e.label]++
		if e.label != 0 {
			latencies = append(latencies, e.totalMS)
		}
	}
	r.Outcomes = p.outcomes(counts)
	r.Vendors = p.vendors(counts)
	r.Latency = latencyOf(latencies)
	return r
}

// add counts what only the entries tell.
func (r *Report) add(e entry) {
	r.Calls += int64(e.calls)
	for _, c := range []struct {
		holds bool
		count *int
	}{
		{e.calls > 1, &r.CalledAgain},
		{e.flags&repeated != 0, &r.Repeated},
		{e.revisions&(e.revisions-1) != 0, &r.Corrected},
		{e.flags&notFinal != 0, &r.NotFinal},
		{e.flags&pending != 0 && !e.ended(), &r.Waiting},
	} {
		if c.holds {
			*c.count++
		}
	}
}

// outcomes groups the counts of the labels by outcome and reasons.
func (p *Progress) outcomes(counts []int) []OutcomeReport {
	type group struct {
		outcome event.Outcome
		reasons string
	}
	groups := make(map[group]int)
	for i, l := range p.labels {
		if i > 0 && counts[i] > 0 {
			groups[group{l.outcome, l.reasons}] += counts[i]
		}
	}
	sums := make(map[event.Outcome]*OutcomeReport)
	for g, n := range groups {
		o := sums[g.outcome]
		if o == nil {
			o = &OutcomeReport{Outcome: g.outcome}
			sums[g.outcome] = o
		}
		o.Requests += n
		o.Reasons = append(o.Reasons, ReasonReport{g.reasons, n})
	}
	sorted := inOrder(sums)
	for _, o := range sorted {
		slices.SortFunc(o.Reasons, func(a, b ReasonReport) int {
			return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Reasons, b.Reasons))
		})
	}
	return sorted
}

// vendors groups the counts of the labels by vendor and outcome.
func (p *Progress) vendors(counts []int) []VendorReport {
	groups := make(map[event.Vendor]map[event.Outcome]*OutcomeReport)
	for i, l := range p.labels {
		if i == 0 || counts[i] == 0 {
			continue
		}
		if groups[l.vendor] == nil {
			groups[l.vendor] = make(map[event.Outcome]*OutcomeReport)
		}
		o := groups[l.vendor][l.outcome]
		if o == nil {
			o = &OutcomeReport{Outcome: l.outcome}
			groups[l.vendor][l.outcome] = o
		}
		o.Requests += counts[i]
	}
	var sorted []VendorReport
	for _, vendor := range slices.Sorted(maps.Keys(groups)) {
		v := VendorReport{Vendor: vendor, Outcomes: inOrder(groups[vendor])}
		for _, o := range v.Outcomes {
			v.Requests += o.Requests
		}
		sorted = append(sorted, v)
	}
	return sorted
}

// inOrder returns the reports in the order of event.Outcomes, with outcomes that
// are new to this program behind.
func inOrder(reports map[event.Outcome]*OutcomeReport) []OutcomeReport {
	rank := func(o event.Outcome) int {
		if i := slices.Index(event.Outcomes(), o); i >= 0 {
			return i
		}
		return math.MaxInt
	}
	names := slices.SortedFunc(maps.Keys(reports), func(a, b event.Outcome) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	sorted := make([]OutcomeReport, len(names))
	for i, name := range names {
		sorted[i] = *reports[name]
	}
	return sorted
}

func latencyOf(ms []uint32) *Latency {
	if len(ms) == 0 {
		return nil
	}
	slices.Sort(ms)
	at := func(percent int) int64 { return int64(ms[(len(ms)*percent+99)/100-1]) }
	return &Latency{P50: at(50), P90: at(90), P95: at(95), P99: at(99), Max: at(100)}
}
