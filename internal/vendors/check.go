package vendors

import (
	"context"
	"errors"
	"time"
)

// The free check takes slots like everything else that a vendor is asked: it counts
// requests, whatever they are for.

// check makes the free check as soon as a slot comes. Its error is ctx's cause or the
// adapter's.
func (l *Lane) check(ctx context.Context) error {
	for {
		c, wait, changed := l.slotForCheck()
		if c.at.IsZero() {
			if err := sleep(ctx, wait, changed); err != nil {
				return err
			}
			continue
		}
		if err := l.checkAt(ctx, c, l.cfg.Timeout); !errors.Is(err, ErrMissed) {
			return err
		}
	}
}

// slotForCheck takes a slot that begins within lookEvery. A zero time means that there
// is none before the wait is over, or changed closed; a wait of 0 means until changed.
func (l *Lane) slotForCheck() (c candidate, wait time.Duration, changed <-chan struct{}) {
	c, wait, changed, err := l.candidate(anyShard, l.claims.lead())
	if err != nil || c.at.IsZero() {
		return candidate{}, wait, changed
	}
	if wait := c.at.Sub(c.found) - lookEvery; wait > 0 {
		return candidate{}, wait, changed
	}
	c.slot.sooner = false // it waits for its slot
	if _, wait, ok := l.obtain(c, c.at); !ok {
		return candidate{}, wait, changed
	}
	return c, 0, nil
}

// checkAt claims the free check and makes it in a slot, within the timeout from when it
// is claimed. ErrMissed says that it is too late for that, that the slot's shard moved, or
// the clock was set.
func (l *Lane) checkAt(ctx context.Context, c candidate, timeout time.Duration) error {
	if err := l.claims.write(ctx, c.shard, c.at); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	defer cancel()
	if err := sleep(ctx, max(1, c.at.Sub(l.clock.read())), nil); err != nil {
		return err
	}
	if c.slot != (slot{}) && l.clock.read().Sub(c.at) > Lateness || !l.owns(c.slot, c.setting) {
		return ErrMissed
	}
	return l.Contain("check", func() error { return l.adapter.Check(ctx) })
}
