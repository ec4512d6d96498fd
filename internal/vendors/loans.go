package vendors

import (
	"slices"
	"time"
)

// loans are the slots that left the timetable's owner for a while, so that a
// replica with work uses what another has no use for. A slot is lent by giving it
// up, whatever becomes of it then; it is ours again only if we borrow it like
// anybody else. The zero value lends nothing and has borrowed nothing.
type loans struct {
	// lent are slots of ours that we must not use.
	lent map[slot]struct{}
	// borrowed are slots of anybody's that we alone may use, in order.
	borrowed []slot
	// weighed is when the last slot begins that was either lent or kept.
	weighed time.Time
	// kept is the part of a slot that is still to be kept, 0 to 1: what is kept
	// is spread evenly.
	kept float64
}

const (
	// lendReach is how far ahead slots are lent at most, so how long the slots
	// of a gained shard may still be used by whom the former owner lent them to.
	lendReach = time.Second
	// lendNotice is how far ahead at least: the borrower has to hear of them.
	lendNotice = 100 * time.Millisecond
	// borrowReach is how far past a caller's lead slots are borrowed: longer than
	// it takes to borrow again, and not much, as what is borrowed and not used
	// is lost to all.
	borrowReach = 350 * time.Millisecond
	// borrowNotice is how far past a caller's lead at least: the answer has to
	// come, and the caller has to take the slot.
	borrowNotice = 20 * time.Millisecond
	// lapsed is for how long a slot that nobody took is kept for a lender whose
	// clock is slow.
	lapsed = 2 * time.Second
)

// holds says whether a slot is ours to use: by the timetable, or borrowed and
// still one of the pace.
func (q *quota) holds(s slot) bool {
	if s.borrowed {
		r := q.table.pace.run(s.begin)
		return r.microRate == microRate(s.perSecond) && !s.begin.Before(r.start)
	}
	s.sooner = false
	_, gone := q.loans.lent[s]
	return !gone && q.table.owns(s)
}

// nextOwn returns the first slot of the timetable past after and at or past
// earliest that is not lent; again and ok are as of timetable.next.
func (q *quota) nextOwn(after, earliest time.Time) (s slot, again time.Time, ok bool) {
	for s, again, ok = q.table.next(after, earliest); ok; s, again, ok = q.table.next(s.begin, earliest) {
		if _, gone := q.loans.lent[s]; !gone {
			return s, time.Time{}, true
		}
	}
	return slot{}, again, false
}

// lend gives up slots and returns their numbers, most at most, and the timetable
// that they are of. As many are kept as make keep in a second.
func (q *quota) lend(now time.Time, keep float64, most int) (of Timetable, numbers []int64) {
	of = q.timetable(now)
	q.passUntil(now.Add(-lapsed / 2)) // none is taken so late, and it is known yet what was lent
	l := &q.loans
	l.forget(now)
	if of == (Timetable{}) || q.table.owned == 0 {
		return of, nil
	}
	share := min(1, keep/(float64(of.MicroRate)/1e6*q.table.part()))
	for len(numbers) < most {
		s, _, ok := q.table.next(latest(l.weighed, q.last), latest(now.Add(lendNotice), q.quiet))
		if !ok || s.begin.After(now.Add(lendReach)) || microRate(s.perSecond) != of.MicroRate {
			break
		}
		l.weighed = s.begin
		if _, gone := l.lent[s]; gone {
			continue // the clock was set back
		}
		if l.kept += share; l.kept >= 1 {
			l.kept--
			continue
		}
		if l.lent == nil {
			l.lent = map[slot]struct{}{}
		}
		l.lent[s] = struct{}{}
		numbers = append(numbers, s.number)
	}
	return of, numbers
}

// timetable returns the timetable as it will be when slots lent now are used.
func (q *quota) timetable(now time.Time) Timetable {
	r := q.table.pace.run(now.Add(lendNotice))
	if r.microRate == 0 || len(q.table.from) == 0 {
		return Timetable{}
	}
	return Timetable{MicroRate: r.microRate, Shards: len(q.table.from)}
}

// forget forgets lent and borrowed slots that have passed.
func (l *loans) forget(now time.Time) {
	for s := range l.lent {
		if s.begin.Before(now.Add(-lapsed)) {
			delete(l.lent, s)
		}
	}
	l.borrowed = slices.Delete(l.borrowed, 0, l.index(now))
}

// index returns the place in borrowed of the first slot at or past a time.
func (l *loans) index(at time.Time) int {
	i, _ := slices.BinarySearchFunc(l.borrowed, at, func(s slot, at time.Time) int { return s.begin.Compare(at) })
	return i
}

// next returns the first borrowed slot at or past earliest that is free.
func (l *loans) next(earliest time.Time) (s slot, ok bool) {
	if i := l.index(earliest); i < len(l.borrowed) {
		return l.borrowed[i], true
	}
	return slot{}, false
}

// take takes a slot out of those that are free, if it is a borrowed one.
func (l *loans) take(s slot) {
	if i := l.index(s.begin); i < len(l.borrowed) && l.borrowed[i] == s {
		l.borrowed = slices.Delete(l.borrowed, i, i+1)
	}
}

// span returns the numbers of the slots that a caller with the lead could use
// if we borrowed them now, first to last, and how many of them we have already,
// counted up to enough. ok is false if there are none.
func (q *quota) span(now time.Time, lead time.Duration, enough int) (first, last int64, have int, ok bool) {
	from, to := latest(now.Add(lead+borrowNotice), q.quiet), now.Add(lead+borrowReach)
	r := q.table.pace.run(from)
	if r.microRate == 0 {
		return 0, 0, 0, false
	}
	if !r.to.IsZero() && to.After(r.to) {
		to = r.to
	}
	begin := r.at(latest(from, r.start))
	first, last = begin.number, r.at(to).number-1
	if last < first {
		return 0, 0, 0, false
	}
	have = len(q.loans.borrowed) - q.loans.index(now.Add(lead))
	for s, _, own := q.nextOwn(q.last, now.Add(lead)); own && s.begin.Before(to) && have < enough; s, _, own = q.nextOwn(s.begin, now) {
		have++
	}
	return first, last, have, true
}

// borrow takes slots over that were lent to us, by number and in order, and
// returns how many can be of use. Those of another timetable cannot.
func (q *quota) borrow(now time.Time, of Timetable, numbers []int64) (useful int) {
	l := &q.loans
	if of.MicroRate == 0 || of.Shards != len(q.table.from) {
		return 0
	}
	r := run{microRate: of.MicroRate}
	for _, n := range numbers {
		s := r.slot(n)
		s.borrowed = true
		if s.begin.Before(now) || s.begin.After(now.Add(lapsed)) || !q.holds(s) {
			continue
		}
		if i := l.index(s.begin); i == len(l.borrowed) || l.borrowed[i] != s {
			l.borrowed = slices.Insert(l.borrowed, i, s)
			useful++
		}
	}
	return useful
}
