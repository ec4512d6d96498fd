package vendors

import (
	"math"
	"time"
)

// soon is how far ahead a shard's room is looked for: as long as it takes to make
// a request ready for its call, so that it is ready when the room comes.
const soon = 500 * time.Millisecond

// Room returns how many calls for requests of the shard may be made soon, which
// is within half a second, and if none may, when to ask again; math.MaxInt where
// no limit is counted. A request without room is best left where it holds no
// worker. Room comes sooner when a permit is given back.
func (l *Lane) Room(shard int) (calls int, again time.Time) {
	if len(l.quota.limits.longer) == 0 { // never changes
		return math.MaxInt, time.Time{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, wall := l.readLocked()
	calls, from := l.quota.room(shard, wall.Add(soon))
	return calls, reading(now, from).Add(-soon)
}

// Counts tells whether the lane counts calls, so that a shard's former ones have
// to be restored.
func (l *Lane) Counts() bool { return len(l.quota.limits.longer) > 0 }

// LongestWindow returns the length of the longest window in which calls are
// counted, 0 if there is none: how far back Restore has to be told of calls.
func (l *Lane) LongestWindow() (longest time.Duration) {
	for _, w := range l.quota.limits.counted {
		longest = max(longest, w.Per)
	}
	return longest
}

// BeginRestore forgets the calls counted for an owned shard. The shard has no
// room until they are restored.
func (l *Lane) BeginRestore(shard int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, wall := l.readLocked()
	if l.quota.shards[shard] != nil {
		l.quota.beginRestore(shard, wall)
	}
}

// Restore counts a call for the shard that the ledger tells of, and that was not
// made by a permit of this lane since BeginRestore. at is when it was made at the
// latest. Records that come late are counted after EndRestore, too. A shard that
// is not owned is none of ours.
func (l *Lane) Restore(shard int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, wall := l.readLocked()
	l.quota.restore(shard, at.Round(0), wall)
}

// EndRestore says that all the calls in the ledger are counted.
func (l *Lane) EndRestore(shard int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.quota.shards[shard]; c != nil {
		c.restored = true
		l.changedLocked()
	}
}

// use returns how many calls of a longer window the owned shards have made, and
// how many are theirs to make.
func (l *Lane) use(window int) (used, share int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, wall := l.readLocked()
	return l.quota.use(window, wall)
}
