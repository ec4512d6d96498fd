package vendors

import (
	"math"
	"slices"
	"time"
)

// quota is what a vendor allows and what is taken of it: the slots of the
// timetable, and for each owned shard the calls within each longer window. It is
// a pure state machine; each method is one step; it is not safe for concurrent
// use.
//
// A call is charged to the shard of its request, since the claim that precedes
// it is in that shard's ledger: whoever owns the shard next counts the same
// calls there. The shares of a window add up to its count less the headroom, so
// no sliding window is ever exceeded, whoever owns what, if all clocks agree.
// Where they differ by d, or a call is late by d, a window on the vendor's clock
// reaches over d more of ours, in which the timetable has at most pace × d
// slots, rounded up. The pace makes at most the window's count in over, so for d
// up to headroom × over that is no more than the headroom of the window: all
// windows bear what the timetable bears. Where rounding has taken part of a call
// from the headroom, the window is as much longer that the pace has that part in it.
type quota struct {
	limits limits
	plan   plan
	// ordered is what the pace is lowered to, in calls per second; 0: it is not.
	ordered float64
	quiet   time.Time // no slot begins before: the pace has changed
	table   timetable
	last    time.Time // when the latest slot begins that was taken
	freed   []slot    // slots taken and given back unused
	sooner  sooner
	shards  map[int]*counts
	loans   loans
	amends  amends
}

// counts are the calls of a shard, by window.
type counts struct {
	// opens is when no former owner makes calls any more.
	opens time.Time
	// restored: what former owners called is counted.
	restored bool
	windows  []count
}

// move counts a call at another time; nil has none.
func (c *counts) move(from, to time.Time) {
	if c == nil {
		return
	}
	for i := range c.windows {
		c.windows[i].remove(from)
		c.windows[i].add(to)
	}
}

// remove takes a call out of the counts that was counted at a time; nil has none.
func (c *counts) remove(at time.Time) {
	if c == nil {
		return
	}
	for i := range c.windows {
		c.windows[i].remove(at)
	}
}

// anyShard stands for a call of no request, which is charged to whichever owned
// shard has most room, and claimed in that one's ledger (Claims).
const anyShard = -1

func newQuota(limits limits, schedule Schedule) quota {
	q := quota{limits: limits, plan: limits.plan(1), sooner: sooner{within: limits.exchange()}, shards: map[int]*counts{}}
	for _, p := range schedule {
		p.PerSecond *= 1 - limits.headroom
		q.table.pace.schedule = append(q.table.pace.schedule, p)
	}
	q.table.pace.over = max(time.Second, limits.over)
	q.setPace()
	return q
}

// setShards replaces the owned shards, numbers below total. The calls of one that
// left are forgotten.
func (q *quota) setShards(owned []int, total int, now time.Time) {
	if total != q.plan.total && total > 0 {
		q.plan = q.limits.plan(total)
		q.setPace()
	}
	q.table.setShards(owned, total, now)
	q.freed = nil
	q.sooner.spareUntil(now)
	if len(q.limits.longer) == 0 {
		return
	}
	former := q.shards
	q.shards = make(map[int]*counts, len(owned))
	for _, shard := range owned {
		if q.shards[shard] = former[shard]; former[shard] == nil {
			q.beginRestore(shard, now)
		}
	}
}

// setPace sets the pace to what the plan allows and the order leaves of it.
func (q *quota) setPace() {
	perSecond := q.plan.perSecond
	if ordered := q.ordered * (1 - q.limits.headroom); ordered > 0 && (perSecond == 0 || ordered < perSecond) {
		perSecond = ordered
	}
	q.table.pace.perSecond, q.table.pace.last = perSecond, run{}
}

// paceChange is how long no slot begins after an order about the pace, which
// replicas hear of within a second, and calls go farthest ahead of their slots: by
// then the last slot of the former pace has begun, whoever's it is.
const paceChange = time.Second + farthest

// order lowers the pace to so many calls per second; 0 takes that back.
func (q *quota) order(perSecond float64, now time.Time) {
	if perSecond == q.ordered {
		return
	}
	q.ordered, q.quiet, q.freed = perSecond, now.Add(paceChange), nil
	if q.plan.perSecond > 0 {
		// A window that is longer than that holds slots of both paces, which don't
		// follow each other evenly: see pace.pause. Neither is above the plan's.
		q.quiet = q.quiet.Add(time.Duration(float64(time.Second) / q.plan.perSecond))
	}
	q.setPace()
}

// beginRestore begins a shard's counts anew.
func (q *quota) beginRestore(shard int, now time.Time) {
	c := &counts{opens: now.Add(handover)}
	for _, w := range q.limits.counted {
		c.windows = append(c.windows, newCount(w.Per))
	}
	q.shards[shard] = c
}

// restore counts a call that a former owner of the shard may have made, at the
// time given at the latest: it cannot have made any once the shard was open to us.
func (q *quota) restore(shard int, at, now time.Time) {
	c := q.shards[shard]
	if c == nil {
		return
	}
	if at.After(c.opens) {
		at = c.opens
	}
	for i := range c.windows {
		w := &c.windows[i]
		w.forget(now)
		if now.Sub(at) <= w.per {
			w.add(at)
		}
	}
}

// next returns the first slot at least lead from now that is free and not left
// unused for a late call. ok is false if there is none before again, or at all if
// that is zero.
func (q *quota) next(now time.Time, lead time.Duration) (s slot, again time.Time, ok bool) {
	earliest := latest(now.Add(lead), q.quiet)
	q.passUntil(now) // what has passed makes up for late calls first
	for {
		s, again, ok = q.nextFree(earliest)
		if !ok {
			return slot{}, again, false
		}
		if !q.skip(s) {
			s.sooner = lead+Lateness <= q.reach(s) && q.mayGoSooner(s, now)
			return s, time.Time{}, true
		}
	}
}

func (q *quota) nextFree(earliest time.Time) (s slot, again time.Time, ok bool) {
	q.dropPassed(earliest)
	if len(q.freed) > 0 {
		return q.freed[0], time.Time{}, true
	}
	s, again, ok = q.nextOwn(q.last, earliest)
	if b, has := q.loans.next(earliest); has && (!ok || b.begin.Before(s.begin)) {
		return b, time.Time{}, true
	}
	return s, again, ok
}

// dropPassed forgets the freed slots that begin too early to be of use. Those
// that were given back late in a row are few, so a linear walk is right.
func (q *quota) dropPassed(earliest time.Time) {
	kept := q.freed[:0]
	for _, s := range q.freed {
		if !s.begin.Before(earliest) {
			kept = append(kept, s)
		}
	}
	q.freed = kept
}

// unready is after how long to ask again about a shard that is not ours, or not
// restored yet.
const unready = time.Second

// room returns how many calls a shard may make at the time, and if that is none,
// from when on it may.
func (q *quota) room(shard int, at time.Time) (calls int, from time.Time) {
	if len(q.limits.longer) == 0 {
		return math.MaxInt, at
	}
	c := q.shards[shard]
	if c == nil || !c.restored {
		return 0, at.Add(unready)
	}
	if at.Before(c.opens) {
		return 0, c.opens
	}
	calls, from = math.MaxInt, at
	for i := range c.windows {
		share := q.plan.share(i, shard)
		if share == kept {
			continue
		}
		calls = min(calls, share-c.windows[i].used(at))
		from = c.windows[i].free(share, from)
	}
	return max(0, calls), from
}

// roomiest returns the owned shard that may make most calls at the time; if none
// may make any, the one that may do so first, with calls 0. At least one shard
// must be owned.
func (q *quota) roomiest(at time.Time) (shard, calls int, from time.Time) {
	shard = anyShard
	if len(q.limits.longer) == 0 {
		return shard, math.MaxInt, at
	}
	for s := range q.shards {
		n, f := q.room(s, at)
		better := n > calls || n == calls && (f.Before(from) || f.Equal(from) && s < shard)
		if shard == anyShard || better {
			shard, calls, from = s, n, f
		}
	}
	return shard, calls, from
}

// take takes a slot, and charges a call at its begin to the shard's windows.
// The counts returned are for giveBack; nil without longer windows.
func (q *quota) take(s slot, shard int, now time.Time) *counts {
	q.occupy(s)
	c := q.shards[shard]
	if c == nil {
		return nil
	}
	for i := range c.windows {
		c.windows[i].forget(now)
		c.windows[i].add(s.begin)
	}
	return c
}

// isFree tells whether a slot that was found free still is.
func (q *quota) isFree(s slot) bool {
	return s.begin.After(q.last) || slices.Contains(q.freed, s) || slices.Contains(q.loans.borrowed, s)
}

// occupy makes a slot free no more.
func (q *quota) occupy(s slot) {
	if len(q.freed) > 0 && q.freed[0] == s {
		q.freed = q.freed[1:]
	}
	q.loans.take(s)
	q.pass(s)
	q.last = latest(q.last, s.begin)
}

// giveBack takes a call that was not made out of the counts, and lets its slot be
// taken again if it has not begun.
func (q *quota) giveBack(s slot, c *counts, now time.Time) {
	c.remove(s.begin)
	s.sooner = false
	if s.begin.After(now) && q.holds(s) {
		q.freed = append(q.freed, s)
	}
}

// use returns how many calls of a window the owned shards have made and how many
// are theirs to make; both are 0 while the pace keeps the window.
func (q *quota) use(window int, now time.Time) (used, share int) {
	for shard, c := range q.shards {
		if s := q.plan.share(window, shard); s != kept {
			share += s
			used += c.windows[window].used(now)
		}
	}
	return used, share
}
