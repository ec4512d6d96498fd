package ledger

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"reauth/internal/event"
)

// Day is a day of UTC, as the number of days since 1970-01-01.
type Day int64

const secondsOfDay = 24 * 60 * 60

// DayOf returns the day that t is in.
func DayOf(t time.Time) Day {
	seconds := t.Unix()
	day := seconds / secondsOfDay
	if seconds%secondsOfDay < 0 {
		day--
	}
	return Day(day)
}

// End returns the midnight with which the day ends.
func (d Day) End() time.Time { return time.Unix(int64(d+1)*secondsOfDay, 0).UTC() }

// Spend is what a request costs, or may cost. A record has one when its vendor
// has prices.
type Spend struct {
	// Campaign is the request's, empty if it names none, and Day that of the
	// call: both are charged.
	Campaign string `json:"campaign,omitempty"`
	Day      Day    `json:"day"`
	// Reserved is the most that a call may cost that is about to be made, or
	// whose verdict is still to come or unknown.
	Reserved event.Amount `json:"reserved,omitempty"`
	// Lost is the most that calls may have cost of which nobody will ever know
	// whether they were made.
	Lost event.Amount `json:"lost,omitempty"`
	// Cost is what the answer costs.
	Cost event.Amount `json:"cost,omitempty"`
}

func (v Spend) total() event.Amount { return v.Reserved + v.Lost + v.Cost }

// sane tells whether no amount is negative: a sum could pass any cap.
func (v *Spend) sane() bool {
	return v == nil || v.Reserved >= 0 && v.Lost >= 0 && v.Cost >= 0
}

// Spent is what the requests of a shard cost that were answered up to Through,
// whatever has left the window since.
type Spent struct {
	Through time.Time `json:"through"`
	// Days are the last ones only: what is past needs no cap.
	Days      map[Day]event.Amount     `json:"days,omitempty"`
	Campaigns map[string]CampaignSpent `json:"campaigns,omitempty"`
}

// CampaignSpent is what the requests of a campaign cost. Day is the last that
// something was spent on.
type CampaignSpent struct {
	Spent event.Amount `json:"spent"`
	Day   Day          `json:"day"`
}

// maxCampaigns bounds the campaigns whose totals are kept, so that the record
// fits its topic: 128 bytes for the name and 40 for the rest make 1.7 MB of the
// 2 MiB that we write at most. Those that were last spent on go first.
// campaignDays is how long a campaign is kept on which nothing is spent.
const (
	maxCampaigns = 10_000
	campaignDays = 400
)

// spent are the totals of a shard. What is charged is in a summary, with a time
// up to its Through, or is in recent: an answer's own time says which, so none is
// counted twice or lost, in whatever order the records were written.
type spent struct {
	through   time.Time
	days      map[Day]event.Amount // charged
	reserved  map[Day]event.Amount
	campaigns map[string]*campaignTotal
	recent    []charge // in the order of the log
}

type campaignTotal struct {
	name              string
	charged, reserved event.Amount
	last              Day
}

// charge is what an answer costs that was written at a time.
type charge struct {
	at       time.Time
	day      Day
	campaign string
	amount   event.Amount
}

// name returns the text of a campaign's id, without allocating if it is known.
func (t *spent) name(id []byte) string {
	if c := t.campaigns[string(id)]; c != nil {
		return c.name
	}
	return string(id)
}

func (t *spent) campaign(name string) *campaignTotal {
	c := t.campaigns[name]
	if c == nil {
		c = &campaignTotal{name: name}
		if t.campaigns == nil {
			t.campaigns = map[string]*campaignTotal{}
		}
		t.campaigns[name] = c
	}
	return c
}

// reserve adds what a request may cost, or with sign -1 takes it away.
func (t *spent) reserve(v *Spend, sign event.Amount) {
	if v == nil || v.total() == 0 {
		return
	}
	if t.reserved == nil {
		t.reserved = map[Day]event.Amount{}
	}
	if t.reserved[v.Day] += sign * v.total(); t.reserved[v.Day] == 0 {
		delete(t.reserved, v.Day)
	}
	if v.Campaign != "" {
		t.campaign(v.Campaign).reserved += sign * v.total()
	}
}

// charge counts what an answer costs that was written at a time.
func (t *spent) charge(v Spend, at time.Time) {
	if v.total() == 0 || !at.After(t.through) {
		return
	}
	c := charge{at, v.Day, v.Campaign, v.total()}
	t.recent = append(t.recent, c)
	t.add(c)
}

func (t *spent) add(c charge) {
	if t.days == nil {
		t.days = map[Day]event.Amount{}
	}
	t.days[c.day] += c.amount
	if c.campaign != "" {
		total := t.campaign(c.campaign)
		total.charged += c.amount
		total.last = max(total.last, c.day)
	}
}

// summed takes in a summary: it stands for every answer up to its time.
func (t *spent) summed(sum Spent) {
	if !sum.Through.After(t.through) {
		return
	}
	t.through, t.days = sum.Through, maps.Clone(sum.Days)
	for _, c := range t.campaigns {
		c.charged = 0
	}
	for name, c := range sum.Campaigns {
		total := t.campaign(name)
		total.charged, total.last = c.Spent, c.Day
	}
	t.recent = slices.DeleteFunc(t.recent, func(c charge) bool { return !c.at.After(sum.Through) })
	for _, c := range t.recent {
		t.add(c)
	}
}

// sum returns the totals of what was answered up to a time.
func (t *spent) sum(through time.Time) Spent {
	sum := Spent{Through: through, Days: map[Day]event.Amount{}, Campaigns: make(map[string]CampaignSpent, len(t.campaigns))}
	maps.Copy(sum.Days, t.days)
	for name, c := range t.campaigns {
		sum.Campaigns[name] = CampaignSpent{c.charged, c.last}
	}
	for _, c := range t.recent {
		if !c.at.After(through) {
			continue
		}
		sum.Days[c.day] -= c.amount
		if total, ok := sum.Campaigns[c.campaign]; ok {
			total.Spent -= c.amount
			sum.Campaigns[c.campaign] = total
		}
	}
	// Less than nothing: it was forgotten since.
	maps.DeleteFunc(sum.Campaigns, func(_ string, c CampaignSpent) bool { return c.Spent <= 0 })
	maps.DeleteFunc(sum.Days, func(_ Day, spent event.Amount) bool { return spent <= 0 })
	return sum
}

// forget drops what no cap will be held against any more.
func (t *spent) forget(now time.Time) {
	today := DayOf(now)
	// A clock may be behind, and the day another one's still.
	maps.DeleteFunc(t.days, func(d Day, _ event.Amount) bool { return d < today-1 })
	idle := func(c *campaignTotal) bool { return c.reserved == 0 && (c.charged == 0 || c.last < today-campaignDays) }
	maps.DeleteFunc(t.campaigns, func(_ string, c *campaignTotal) bool { return idle(c) })
	excess := len(t.campaigns) - maxCampaigns
	if excess <= 0 {
		return
	}
	oldest := slices.SortedFunc(maps.Values(t.campaigns), func(a, b *campaignTotal) int {
		return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.name, b.name))
	})
	for _, c := range oldest[:excess] {
		delete(t.campaigns, c.name)
	}
}

// spend sets what an open request may cost; nil takes it back.
func (s *Shard) spend(e *Entry, v *Spend) {
	s.spent.reserve(e.spend, -1)
	e.spend = nil
	if v != nil {
		own := *v
		e.spend = &own
		s.spent.reserve(e.spend, +1)
	}
}

// spendAsRead sets what an open request may cost, as a record says.
func (s *Shard) spendAsRead(e *Entry, v *Spend) {
	if !e.spendKept {
		s.spend(e, v)
	}
}

// Reserve sets what an open request may cost, beside what a record of it says.
// The zero value takes it back.
func (s *Shard) Reserve(e *Entry, v Spend) {
	if s.open[e.ID] != e || e.Step == Answered {
		return // nothing is open about it
	}
	e.spendKept = true
	if v == (Spend{}) {
		s.spend(e, nil)
		return
	}
	s.spend(e, &v)
}

// Spend returns what the request may cost, or zero.
func (e *Entry) Spend() Spend {
	if e.spend == nil {
		return Spend{}
	}
	return *e.spend
}

// SpentOn returns what is charged to a day, and what is reserved of it besides.
func (s *Shard) SpentOn(d Day) (charged, reserved event.Amount) {
	return s.spent.days[d], s.spent.reserved[d]
}

// SpentFor returns what is charged to a campaign, and what is reserved besides.
func (s *Shard) SpentFor(campaign string) (charged, reserved event.Amount) {
	if c := s.spent.campaigns[campaign]; c != nil {
		return c.charged, c.reserved
	}
	return 0, 0
}

// MostSpent returns what is charged to and reserved for the campaign that it is
// the most for.
func (s *Shard) MostSpent() (most event.Amount) {
	for _, c := range s.spent.campaigns {
		most = max(most, c.charged+c.reserved)
	}
	return most
}

// Summary returns a record of what the answers up to a time cost, or up to an
// earlier time, so that it passes none by that is being written. Whoever writes
// it knows every record of the log up to that time. due says that it is to be
// written: every so often while something changes, and rarely while nothing does.
func (s *Shard) Summary(through time.Time, every, rarely time.Duration) (r Record, due bool) {
	for _, at := range s.answering {
		if !at.After(through) {
			through = at.Add(-1)
		}
	}
	t := &s.spent
	known := len(t.days) > 0 || len(t.campaigns) > 0
	age := through.Sub(t.through)
	if !known || age < rarely && (age < every || len(t.recent) == 0) {
		return Record{}, false
	}
	sum := t.sum(through)
	return Record{Step: Summed, Spent: &sum}, true
}
