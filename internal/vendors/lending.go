package vendors

import (
	"math"
	"sync/atomic"
	"time"
)

// Timetable names what slots are numbered by: replicas with the same one agree on
// when each slot begins and whose it is.
type Timetable struct {
	// MicroRate is the pace in slots per million seconds, headroom taken off.
	MicroRate uint64
	// Shards is how many there are.
	Shards int
}

// Trade is what a lane has for the other replicas, and what it wants of them. A
// slot is named by its number, which orders slots by time.
type Trade struct {
	// Timetable is zero if the lane has none at present; then so is the rest.
	Timetable Timetable
	// Lent are slots that the lane has given up: it will not use them, whatever
	// becomes of them, unless they come back by Borrow.
	Lent []int64
	// Want is how many slots from First to Last the lane would use.
	Want        int
	First, Last int64
	// Passed is the first slot that may still be of use to anybody.
	Passed int64
}

// MaxTrade bounds the slots that a Trade lends and those that it wants. At ten
// trades a second it is enough for a pace of 2,500 a second.
const MaxTrade = 256

// Trade looks at what the lane's callers need until the next trade, and gives up
// what they have no use for if lend is set. What is given up begins within a
// second of now, and now must be from before the caller made sure that the shards
// are still this replica's.
//
// A lane that makes fewer calls than its slots would allow for another reason (a
// fault, its breaker, the vendor's refusals) neither lends nor wants.
func (l *Lane) Trade(now time.Time, lend bool) Trade {
	need := l.demand.look(now)
	well := l.well(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	read, wall := l.readLocked()
	wall = wall.Add(now.Sub(read))
	most := 0
	if lend && well {
		most = MaxTrade
	}
	var t Trade
	t.Timetable, t.Lent = l.quota.lend(wall, need.keep(), most)
	if t.Timetable == (Timetable{}) {
		return Trade{}
	}
	t.Passed = l.quota.table.pace.run(wall.Add(lendNotice)).at(wall.Add(-lapsed)).number
	if wish := min(MaxTrade, need.slots()); well && wish > 0 {
		if first, last, have, ok := l.quota.span(wall, need.lead, wish); ok && have < wish {
			t.Want, t.First, t.Last = wish-have, first, last
		}
	}
	return t
}

// Borrow hands slots of a timetable to the lane, in order, that nobody else will
// use, and returns how many of them can be of use: those that have passed, or are
// of another timetable than the lane's, cannot.
func (l *Lane) Borrow(of Timetable, slots []int64) (useful int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, wall := l.readLocked()
	if useful = l.quota.borrow(wall, of, slots); useful > 0 {
		l.changedLocked()
	}
	return useful
}

// well says whether the timetable is all that holds calls back.
func (l *Lane) well(now time.Time) bool {
	return l.valve.Fault() == nil && l.breaker.state() == BreakerClosed && !l.ceiling.lowered(now)
}

// demand is what a lane's callers do.
type demand struct {
	waiting atomic.Int64 // who has a place among the calls in flight, but no permit
	permits atomic.Int64 // handed out so far
	idle    atomic.Bool  // nobody was waiting at some time since the last look
	lead    atomic.Int64 // of the last caller, in ns

	// The rest is its lender's, who alone looks.
	looked    time.Time
	seen      int64   // permits
	perSecond float64 // permits, smoothed
}

// smoothing is the time in which a change of the rate of permits is followed.
const smoothing = 500 * time.Millisecond

// begin is called for each caller that begins to wait, end when it has ended.
func (d *demand) begin(lead time.Duration) {
	d.waiting.Add(1)
	d.lead.Store(int64(lead))
}

func (d *demand) end(permit bool) {
	if permit {
		d.permits.Add(1)
	}
	if d.waiting.Add(-1) == 0 {
		d.idle.Store(true)
	}
}

// need is what callers need from now on.
type need struct {
	waiting   int
	backlog   bool // somebody has been waiting all the time
	perSecond float64
	lead      time.Duration
}

func (d *demand) look(now time.Time) need {
	permits := d.permits.Load()
	if elapsed := now.Sub(d.looked).Seconds(); elapsed > 0 {
		rate := float64(permits-d.seen) / elapsed
		d.perSecond += (rate - d.perSecond) * (1 - math.Exp(-elapsed/smoothing.Seconds()))
		d.looked, d.seen = now, permits
	}
	waiting := int(d.waiting.Load())
	idle := d.idle.Swap(false)
	return need{waiting: waiting, backlog: waiting > 0 && !idle, perSecond: d.perSecond, lead: time.Duration(d.lead.Load())}
}

// keep returns how many slots a second are kept: for those who wait, and for as
// many as came lately and some more.
func (n need) keep() float64 {
	if n.waiting == 0 && n.perSecond < 0.1 {
		return 0
	}
	return 1 + 1.25*n.perSecond + float64(n.waiting)/lendReach.Seconds()
}

// slots returns how many slots would be used within the reach of borrowing: who
// waits takes one each, and in a backlog others follow as they did.
func (n need) slots() int {
	if !n.backlog {
		return n.waiting
	}
	return n.waiting + int(n.perSecond*borrowReach.Seconds())
}
