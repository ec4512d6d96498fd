package vendors

import "time"

// turns says when a replica may probe a vendor that is out. From the end of the
// open period on, turns of equal length go round the shards, and whoever owns the
// shard may begin to probe in the first half of its turn. The second half is for
// the others to hear of it, so that one replica probes at a time: see
// group.go. Nobody waits for a replica that is gone or has no requests.
//
// Which shard begins is drawn from the time, on which replicas agree: if it were
// always the same, a replica that cannot reach the vendor could keep all others
// from finding out that they can.
type turns struct {
	owned []bool // by shard
}

// turnLength is how long a turn is: long enough for a signal in its half. All
// turns together take at most as long as the open period.
const turnLength = 250 * time.Millisecond

// newTurns returns the turns of the owner of shards, numbers below total.
func newTurns(shards []int, total int) turns {
	t := turns{owned: make([]bool, total)}
	for _, s := range shards {
		t.owned[s] = true
	}
	return t
}

// next returns the first time at or past now at which to probe, when the period
// that the vendor was given, of length open, ends at from. Without shards of ours
// there are no turns: nobody can be agreed with.
func (t turns) next(from, now time.Time, open time.Duration) time.Time {
	now = latest(now, from)
	total := int64(len(t.owned))
	length := min(turnLength, open/time.Duration(max(1, total)))
	if total == 0 || length == 0 {
		return now
	}
	// Fibonacci hashing: periods follow each other at regular distances.
	first := int64(uint64(from.UnixMilli()) * 0x9e3779b97f4a7c15 >> 33 % uint64(total))
	current := int64(now.Sub(from) / length)
	for turn := current; turn <= current+total; turn++ {
		if !t.owned[(first+turn)%total] {
			continue
		}
		begin := from.Add(time.Duration(turn) * length)
		if now.Before(begin.Add(length / 2)) {
			return latest(now, begin)
		}
	}
	return now
}

// look returns the first time at or past from at which to look whether the vendor
// is back: each lookEvery it is the turn of another shard's owner.
func (t turns) look(from time.Time) time.Time {
	at := from.Truncate(lookEvery)
	if at.Before(from) {
		at = at.Add(lookEvery)
	}
	for range t.owned {
		if t.owned[at.Unix()/int64(lookEvery/time.Second)%int64(len(t.owned))] {
			break
		}
		at = at.Add(lookEvery)
	}
	return at
}
