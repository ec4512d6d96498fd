package checkout

import (
	"slices"
	"time"
)

// life is how far an attempt got.
type life uint8

const (
	// lives: the person can still do their part, or has just done it.
	lives life = iota + 1
	// ended: it came to nothing.
	ended
	// decided: the status of the face authentication says what came of it.
	decided
)

// lifeByStatus is that of each status, of a link that can still be opened.
var lifeByStatus = map[string]life{
	pendingRedirection: lives,
	captureInProgress:  lives,
	checksInProgress:   lives,
	expired:            ended,
	captureAborted:     ended,
	checksInconclusive: ended,
	terminated:         ended,
	completed:          decided,
	captureRefused:     decided,
}

// lifeOf returns how far an attempt got whose link ends then. The vendor may be
// slow to see that a link has ended, so that the clock counts as well.
func (a *Adapter) lifeOf(t attempt, linkEnd time.Time) life {
	dead := !a.now().Before(a.deathOf(linkEnd))
	of, known := lifeByStatus[t.Status]
	switch {
	case !known && dead:
		return decided
	case !known:
		return lives
	case dead && t.Status == pendingRedirection:
		return ended
	}
	return of
}

// noteUnknown counts attempts with a status that is not known.
func (a *Adapter) noteUnknown(all ...attempt) {
	for _, t := range all {
		if _, known := lifeByStatus[t.Status]; !known {
			a.unknown.WithLabelValues(ofAttempt).Inc()
		}
	}
}

// came tells whether somebody came to an attempt that has ended with a status
// and codes.
func came(status string, codes []int) bool {
	switch status {
	case expired, terminated, pendingRedirection:
		return slices.ContainsFunc(codes, func(code int) bool { return code != neverStarted })
	}
	return true
}

// graceShare of a link's life passes before it is taken for dead: clocks differ,
// and who opened it in the last moment shows late.
const graceShare = 20

func (a *Adapter) deathOf(linkEnd time.Time) time.Time { return linkEnd.Add(a.linkLife / graceShare) }

// linkDeath is when the link of the attempt can certainly not be opened any more.
func (a *Adapter) linkDeath(s state) time.Time { return a.deathOf(time.UnixMilli(s.LinkEnd)) }

func (a *Adapter) linkIsDead(s state) bool { return !a.now().Before(a.linkDeath(s)) }

// merge returns codes followed by those of more that are not among them.
func merge(codes, more []int) []int {
	merged := slices.Clone(codes)
	for _, code := range more {
		if !slices.Contains(merged, code) {
			merged = append(merged, code)
		}
	}
	return merged
}
