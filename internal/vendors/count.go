package vendors

import (
	"slices"
	"time"
)

// countBuckets is into how many spans a window is cut. A call leaves the window
// together with all of its span, so at most 1/countBuckets of a window's calls
// are lost to it, and never one is made too many.
const countBuckets = 256

// count holds the calls that one shard made within one window, by the wall
// clock. It costs 16 bytes for each span that calls were made in: at most
// countBuckets and the two that stick out, some 4 KiB, and as much again only
// for calls that are charged a whole window ahead.
type count struct {
	per, span time.Duration
	buckets   []bucket // by number
	total     int      // of all buckets
}

// bucket is the number of calls in one span of the clock: span number n is from
// n × span on.
type bucket struct {
	number int64
	calls  int
}

func newCount(per time.Duration) count {
	return count{per: per, span: max(1, per/countBuckets)}
}

// leaves is when all of a bucket is out of the window: further from then on than
// the window is long.
func (c *count) leaves(b bucket) time.Time {
	return time.Unix(0, (b.number+1)*int64(c.span)).Add(c.per)
}

// find returns where the bucket of a time is, or belongs.
func (c *count) find(at time.Time) (number int64, i int, ok bool) {
	number = at.UnixNano() / int64(c.span)
	i, ok = slices.BinarySearchFunc(c.buckets, number, func(b bucket, n int64) int { return int(b.number - n) })
	return number, i, ok
}

// add counts a call.
func (c *count) add(at time.Time) {
	number, i, ok := c.find(at)
	if !ok {
		c.buckets = slices.Insert(c.buckets, i, bucket{number: number})
	}
	c.buckets[i].calls++
	c.total++
}

// remove takes a call back that was counted, unless it has left.
func (c *count) remove(at time.Time) {
	_, i, ok := c.find(at)
	if !ok {
		return
	}
	c.buckets[i].calls--
	c.total--
	if c.buckets[i].calls == 0 {
		c.buckets = slices.Delete(c.buckets, i, i+1)
	}
}

// forget drops what has left the window by now. Slots that are given back are
// taken again in any order, so nothing may be dropped for a later time.
func (c *count) forget(now time.Time) {
	left := 0
	for left < len(c.buckets) && !c.leaves(c.buckets[left]).After(now) {
		c.total -= c.buckets[left].calls
		left++
	}
	c.buckets = slices.Delete(c.buckets, 0, left)
}

// used returns how many calls count for one at the time: those within the window
// before it, and all that are later.
func (c *count) used(at time.Time) int {
	used := c.total
	for _, b := range c.buckets {
		if c.leaves(b).After(at) {
			break
		}
		used -= b.calls
	}
	return used
}

// free returns the first time from earliest on at which fewer calls than share count.
func (c *count) free(share int, earliest time.Time) time.Time {
	used := c.total
	for _, b := range c.buckets {
		if used < share {
			break
		}
		used -= b.calls
		if leaves := c.leaves(b); leaves.After(earliest) {
			earliest = leaves
		}
	}
	return earliest
}
