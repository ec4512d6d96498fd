package argos

import "time"

// order is what a list shows of its order, page by page. The vendor does not say in
// which order it lists. A list that goes on from a key of time and id is in order
// of time, though, in one direction or the other: so where all rows go back in time
// and the key is that of the last of them, nothing newer can follow. That saves the
// rest of the days asked for: all authentications of three days, for a call that
// was made a minute ago.
type order struct {
	first, last time.Time // of the rows so far
	mixed       bool      // a row was newer than the one before it, or had no time
}

// orderMargin is for rows that are not quite in order.
const orderMargin = 10 * time.Second

// add takes the next row's time, zero for one that cannot be read.
func (o *order) add(at time.Time) {
	if at.IsZero() || !o.last.IsZero() && at.After(o.last) {
		o.mixed = true
	}
	if o.first.IsZero() {
		o.first = at
	}
	o.last = at
}

// passed says whether all rows that a key leads to were made before since.
func (o *order) passed(next pageKey, since time.Time) bool {
	return !o.mixed && o.first.After(o.last) && parseTime(next.date).Equal(o.last) && o.last.Before(since.Add(-orderMargin))
}
