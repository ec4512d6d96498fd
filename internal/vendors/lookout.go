package vendors

import (
	"context"
	"time"
)

// While a breaker is open, one replica of the group at a time looks with the
// adapter's free check whether the vendor answers again. If it does, that replica
// begins to probe at once instead of when the open period is over, so that calls
// go on a second or two after the vendor is back, however long the period is, and
// no request has served to find that out.
//
// The check may go well where calls do not, or not for long. Each time that a probe
// then fails, or that calls do soon after, the next look is twice as far off, until
// probes come as if nobody looked.

// lookEvery is how often the group looks, and how long a look takes at most.
const lookEvery = time.Second

// lookout returns when this replica is to look, if that is while the breaker is
// open.
func (b *breaker) lookout(now time.Time) (at time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.shut || b.probing {
		return time.Time{}, false
	}
	at = b.turns.look(latest(now, b.lookFrom))
	return at, at.Before(b.until)
}

// looked notes that the look at a time is being taken.
func (b *breaker) looked(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lookFrom = latest(b.lookFrom, at.Add(1))
}

// postpone sets when the next look may be: the breaker opens, or does so again
// after a probe. The caller holds mu.
func (b *breaker) postpone(opened time.Time) {
	switch {
	case b.early, !b.shut && opened.Sub(b.closedAt) < b.cfg.Open:
		b.fruitless++
	case !b.shut:
		b.fruitless = 0
	}
	b.early = false
	b.lookFrom = opened.Add(min(b.cfg.Open, lookEvery<<min(b.fruitless, 16)))
}

// hurry begins to probe, if it is not time to do so anyway: the vendor answers.
func (b *breaker) hurry(now time.Time) {
	b.mu.Lock()
	if !b.shut || b.probing || !now.Before(b.until) {
		b.mu.Unlock()
		return
	}
	b.early = true
	b.beginProbing(now)
}

// await waits as try has said, and looks whether the vendor is back when that is
// our turn. Its error is the context's cause.
func (l *Lane) await(ctx context.Context, wait time.Duration, changed <-chan struct{}) error {
	at, ok := l.breaker.lookout(time.Now())
	until := time.Until(at)
	if !ok || wait > 0 && wait <= until {
		return sleep(ctx, wait, changed)
	}
	if until > 0 {
		if err := sleep(ctx, until, changed); err != nil || time.Now().Before(at) {
			return err
		}
	}
	l.breaker.looked(at)
	if l.look(ctx) {
		l.breaker.hurry(time.Now())
	}
	return context.Cause(ctx)
}

// look says whether the vendor answers the free check.
func (l *Lane) look(ctx context.Context) bool {
	c, _, _ := l.slotForCheck()
	return !c.at.IsZero() && l.checkAt(ctx, c, lookEvery) == nil
}
