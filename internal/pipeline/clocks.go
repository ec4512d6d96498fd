package pipeline

import (
	"cmp"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// clocks compares this replica's clock with those of the others. Slots and claims are
// agreed on by the wall clock, and clocks that differ show nowhere until the vendor
// refuses calls, or one is repeated whose claim had not ended.
//
// Every replica says on the signals topic what its clock shows. What passes until we
// hear that, by our clock, is the way through Kafka and what our clock is ahead. Our
// own signals take the same way and show it alone. The quickest of a minute are
// compared: a signal can be held up, and never comes too soon.
type clocks struct {
	own string
	log *slog.Logger
	// bearable is how far clocks may be apart for claims.
	bearable time.Duration

	mu sync.Mutex // guards what follows
	// live says that one of our own signals was heard that was sent after from.
	// What comes before it may have lain in the topic.
	from  time.Time
	live  bool
	trips map[string][]trip // by sender, oldest first
	told  slog.Level        // what was logged last, 0 for nothing
}

// trip is when a signal was heard, and how long it took by the sender's clock and ours.
type trip struct {
	heard time.Time
	took  time.Duration
}

const (
	clockEvery = 10 * time.Second
	// clockWindow is how long a signal counts.
	clockWindow = time.Minute
	// clocksApart is from which difference on it is logged: several times what the
	// quickest signals of busy machines differ by.
	clocksApart = 50 * time.Millisecond
	// tripsEnough is how many signals of a replica make the quickest one quick.
	tripsEnough = 4
	// clocksMost bounds the senders that are remembered.
	clocksMost = 1000
)

func newClocks(cfg Config, log *slog.Logger) *clocks {
	return &clocks{own: cfg.Owner, log: log, bearable: cfg.ClaimMargin / 4}
}

// tellTime says what our clock shows until the process stops. A signal that is lost
// is not missed: who announces what matters says so.
func (p *Pipeline) tellTime() {
	for sleep(p.take, clockEvery) {
		_ = p.sendSoon(p.take, signal{Kind: clockKind, At: time.Now()})
	}
}

// listen begins anew: the topic is read again, from the past on.
func (c *clocks) listen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.from, c.live, c.trips = time.Now(), false, map[string][]trip{}
}

// hear takes a signal that says what the clock of its sender showed.
func (c *clocks) hear(sender string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.live = c.live || sender == c.own && !at.Before(c.from)
	if !c.live || c.trips[sender] == nil && len(c.trips) == clocksMost {
		return
	}
	c.trips[sender] = append(c.trips[sender], trip{heard: now, took: now.Sub(at)})
	c.forget(now)
	c.report()
}

// forget drops what is older than the window; c.mu is held.
func (c *clocks) forget(now time.Time) {
	for sender, trips := range c.trips {
		trips = slices.DeleteFunc(trips, func(t trip) bool { return now.Sub(t.heard) > clockWindow })
		if c.trips[sender] = trips; len(trips) == 0 {
			delete(c.trips, sender)
		}
	}
}

// others returns how far the clocks of the others are ahead of ours, least first;
// nil if that is not known. c.mu is held.
func (c *clocks) others() []time.Duration {
	own := c.trips[c.own]
	if len(own) < tripsEnough {
		return nil
	}
	var ahead []time.Duration
	for sender, trips := range c.trips {
		if sender != c.own && len(trips) >= tripsEnough {
			ahead = append(ahead, quickest(own)-quickest(trips))
		}
	}
	slices.Sort(ahead)
	return ahead
}

func quickest(trips []trip) time.Duration {
	return slices.MinFunc(trips, func(a, b trip) int { return cmp.Compare(a.took, b.took) }).took
}

// report logs a difference when it is found, when it grows beyond what claims bear,
// and when it is gone; c.mu is held.
func (c *clocks) report() {
	ahead := c.others()
	if len(ahead) == 0 {
		return
	}
	farthest := ahead[0]
	if last := ahead[len(ahead)-1]; last.Abs() > farthest.Abs() {
		farthest = last
	}
	switch apart := farthest.Abs(); {
	case apart > c.bearable && c.told != slog.LevelError:
		c.told = slog.LevelError
		c.log.Error("the clock of another replica differs by more than claims bear: a call may be made twice; synchronise the clocks", "ahead_ms", farthest.Milliseconds())
	case apart > clocksApart && c.told == 0:
		c.told = slog.LevelWarn
		c.log.Warn("the clock of another replica differs: the vendor may count more calls than its limit; synchronise the clocks", "ahead_ms", farthest.Milliseconds())
	case apart < clocksApart/2 && c.told != 0:
		c.told = 0
		c.log.Info("the clocks of the replicas agree again")
	}
}

// ahead returns by how many seconds our clock is ahead of the middle of all clocks,
// which is 0 for most replicas if one is wrong; NaN if that is not known.
func (c *clocks) ahead() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(time.Now())
	if len(c.trips[c.own]) < tripsEnough {
		return math.NaN()
	}
	all := append(c.others(), 0)
	slices.Sort(all)
	middle := (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	return -middle.Seconds()
}

func (c *clocks) gauge() prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "reauth_clock_ahead_seconds",
		Help: "By how much this replica's clock is ahead of the middle of the group's clocks, as found within a minute; NaN while signals are not heard.",
	}, c.ahead)
}
