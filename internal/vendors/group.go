package vendors

import (
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"
)

// A vendor that is out is out for the whole group, so one replica's word is enough
// for all to stop, one probe at a time for all to know, and one success for all to
// go on:
//
//	       own failures: tell;          until has passed, and
//	       or told so                   it is our turn: tell
//	closed ───────────────────▶ open ─────────────────────────▶ probing, for
//	  ▲                         │  ▲                            one open period
//	  │      told so            │  │      probe failed: tell       │ │
//	  ├─────────────────────────┘  └───────────────────────────────┘ │
//	  └──────────────────────────────────────────────────────────────┘
//	                          probe succeeded: tell; or told so
//
// Probing also begins before its time when the vendor answers the free check, for
// which one replica at a time looks (lookout.go). Each word is a hint. Without any,
// each replica's breaker works alone, and what is lost is some failing calls and
// some seconds.

// BreakerNews is what replicas tell each other of a lane's breaker.
type BreakerNews struct {
	// State is BreakerOpen when the vendor was found to be out, BreakerHalfOpen
	// when the teller begins to probe, BreakerClosed when a probe succeeded.
	State BreakerState
	// Until is when others may probe, in the first two cases.
	Until time.Time
}

// ParseBreakerState is the inverse of BreakerState.String.
func ParseBreakerState(text string) (BreakerState, error) {
	for _, s := range []BreakerState{BreakerClosed, BreakerHalfOpen, BreakerOpen} {
		if s.String() == text {
			return s, nil
		}
	}
	return 0, errors.New("no state of a breaker")
}

// OnBreaker sets what is told of the breaker's changes; it must be brief, and not
// use the lane. It is set before the lane is used.
func (l *Lane) OnBreaker(tell func(BreakerNews)) {
	l.breaker.mu.Lock()
	defer l.breaker.mu.Unlock()
	l.breaker.tell = tell
}

// HearBreaker follows what another replica told at a time. It cannot hold the lane
// for longer than BreakerConfig.Open.
func (l *Lane) HearBreaker(from string, at time.Time, n BreakerNews) {
	if n.State == BreakerClosed {
		l.breaker.hearClosed(from, at)
		return
	}
	l.breaker.hearOpen(from, n)
}

// SetProbeTurns says by which shards this replica's turn to probe is found: those
// of SetShards.
func (l *Lane) SetProbeTurns(shards []int, total int) {
	l.breaker.mu.Lock()
	defer l.breaker.mu.Unlock()
	l.breaker.turns = newTurns(shards, total)
}

// waitLocked returns how long no call is made. The caller holds mu.
func (b *breaker) waitLocked(now time.Time) time.Duration {
	if !b.shut {
		return 0
	}
	if b.probing && now.Before(b.until) {
		return 0
	}
	b.probing = false
	return b.turns.next(b.until, now, b.cfg.Open).Sub(now)
}

// probe tells the group, if a call that is allowed is a probe and the first of its
// period.
func (b *breaker) probe(two *gobreaker.TwoStepCircuitBreaker[struct{}], now time.Time) {
	b.mu.Lock()
	if !b.shut || b.probing || b.two != two {
		b.mu.Unlock()
		return
	}
	b.beginProbing(now)
}

// beginProbing tells the group that it is us who probe. It releases mu, which the
// caller holds.
func (b *breaker) beginProbing(now time.Time) {
	b.probing, b.until = true, now.Add(b.cfg.Open)
	news, tell := BreakerNews{State: BreakerHalfOpen, Until: b.until}, b.tell
	b.mu.Unlock()
	if tell != nil {
		tell(news)
	}
}

// hearOpen holds the lane: another replica found the vendor to be out, or looks
// whether it still is.
func (b *breaker) hearOpen(from string, n BreakerNews) {
	now := time.Now()
	b.mu.Lock()
	until := now.Add(min(n.Until.Sub(now), b.cfg.Open)) // however the clock is set meanwhile
	if !until.After(now) || !b.trust.follow(from, n.State, b.shut, now, b.cfg.Open) {
		b.mu.Unlock()
		return
	}
	switch {
	case n.State == BreakerOpen:
		b.postpone(now)
	case b.shut:
		// Whoever probes in time begins when the period is over.
		b.early = now.Before(b.until.Add(-lookEvery / 2))
	}
	held := b.shut && !b.probing
	b.until, b.probing = latest(b.until, until), false
	two := b.two
	b.mu.Unlock()
	if held {
		return
	}
	b.heard.Store(true)
	defer b.heard.Store(false)
	// Where no more calls are allowed, they need not be stopped.
	if done, err := two.Allow(); err == nil {
		done(errHeard)
	}
}

// errHeard opens a breaker on another replica's word.
var errHeard = errors.New("another replica found the vendor to be out")

// hearClosed lets calls through at once: another replica's probe succeeded.
func (b *breaker) hearClosed(from string, at time.Time) {
	now := time.Now()
	b.mu.Lock()
	// Times of records are in milliseconds.
	if !b.shut || at.Before(b.openedAt.Truncate(time.Millisecond)) {
		b.mu.Unlock()
		return // it is about an outage before this one
	}
	b.two = b.fresh()
	b.closeLocked(from, now)
	b.mu.Unlock()
	b.wake()
	b.onChange(BreakerClosed)
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
