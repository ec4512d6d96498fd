package vendors

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// ceiling is the local limit that adapts to a vendor's 429s: halved by each
// refusal, at most once per back-off, and raised by a twentieth of the
// configured rate each second until it is out of the way again. It can only
// leave slots of the timetable unused, never add one.
type ceiling struct {
	mu      sync.Mutex
	full    float64 // the timetable's calls per second for the group; 0: no limit
	current float64 // of the group; below full while it adapts
	// part is how much of the timetable is this replica's, 0 to 1. Each slows
	// its own slots down alike, and so all of them together.
	part    float64
	raised  time.Time
	blocked time.Time     // no call before
	limiter *rate.Limiter // of this replica
	reached time.Time     // the latest time that the limiter was told
}

// throttleDefault is the back-off after a 429 that names none.
const throttleDefault = time.Second

// throttleMost bounds what a vendor may ask for: a longer outage is the
// vendor's to announce again.
const throttleMost = 15 * time.Minute

func newCeiling(perSecond float64) *ceiling {
	// Slots come evenly and at full speed at most, so a burst cannot hurt; it
	// lets a rate between two whole fractions of the timetable's come out right.
	burst := 1 + int(perSecond/10)
	return &ceiling{full: perSecond, current: perSecond, part: 1, limiter: rate.NewLimiter(rate.Inf, burst)}
}

// allow says whether a call may be made at the time, at which the timetable makes
// full calls per second and part of them are ours, and if not, when to ask again.
func (c *ceiling) allow(at time.Time, full, part float64) (again time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow(at, full, part)
	if at.Before(c.blocked) {
		return c.blocked, false
	}
	c.raise(at)
	if c.limiter.AllowN(c.forward(at), 1) {
		return time.Time{}, true
	}
	return at.Add(time.Duration(float64(time.Second) / c.current)), false
}

// blocks says whether a back-off has been asked for that a time is in.
func (c *ceiling) blocks(at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return at.Before(c.blocked)
}

// throttle is called for each 429. It returns until when no call is made, zero
// if that was known already.
func (c *ceiling) throttle(now time.Time, after time.Duration) (until time.Time) {
	if after <= 0 {
		after = throttleDefault
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	until = now.Add(min(after, throttleMost))
	if now.Before(c.blocked) {
		// Calls that were under way together are refused together.
		if !until.After(c.blocked) {
			return time.Time{}
		}
		c.blocked = until
		return until
	}
	c.blocked = until
	if c.full == 0 {
		return until // there is no rate to halve
	}
	c.current = max(c.current/2, c.full/64)
	c.raised = until
	c.limit(until)
	return until
}

// follow keeps the ceiling in proportion to the timetable.
func (c *ceiling) follow(at time.Time, full, part float64) {
	if full == c.full && part == c.part {
		return
	}
	if c.current >= c.full {
		c.current = full
	} else {
		c.current *= full / c.full
	}
	c.full, c.part = full, part
	c.limit(at)
}

// forward returns the time for the limiter, which gives calls twice for a time that it
// is put back by: some calls are asked for at their slots, others as they go sooner.
func (c *ceiling) forward(at time.Time) time.Time {
	c.reached = latest(c.reached, at)
	return c.reached
}

// limit sets the limiter to this replica's part of the ceiling.
func (c *ceiling) limit(at time.Time) {
	at = c.forward(at)
	if c.current >= c.full {
		c.limiter.SetLimitAt(at, rate.Inf)
		return
	}
	c.limiter.SetLimitAt(at, rate.Limit(c.current*c.part))
}

func (c *ceiling) raise(now time.Time) {
	if c.current >= c.full || !now.After(c.raised) {
		return
	}
	c.current = min(c.full, c.current+c.full/20*now.Sub(c.raised).Seconds())
	c.raised = now
	c.limit(now)
}

// lowered says whether the ceiling keeps calls from being made.
func (c *ceiling) lowered(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raise(now)
	return c.current < c.full || now.Before(c.blocked)
}

// rate returns the present ceiling in calls per second; 0 means none.
func (c *ceiling) rate() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}
