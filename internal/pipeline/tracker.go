package pipeline

import (
	"sort"
	"time"

	"reauth/internal/ledger"
)

// unknownNext is the next of a tracker that has seen nothing of a partition
// without a committed offset: there is nothing to commit.
const unknownNext = -1

// tracker knows which records of one partition are done and so what may be
// committed: the offset after the last contiguous one that is done. Records are
// added in the order of their offsets, gaps allowed, and done in any order.
// It is pure and not safe for concurrent use: its shard's lock guards it.
type tracker struct {
	next    int64     // what may be committed
	last    time.Time // of the record before next; zero: it was not tracked
	records []tracked
	head    int // records[:head] are done and wait for compaction
}

type tracked struct {
	offset int64
	at     time.Time // of the record
	done   bool
	id     ledger.ID // once it is done; zero for what is no request
}

// newTracker returns a tracker for a partition whose committed offset is next;
// anything negative means that there is none.
func newTracker(next int64) *tracker {
	return &tracker{next: max(next, unknownNext)}
}

// add tracks a record of a time. It returns false, and tracks nothing, for an offset that
// was tracked or committed before.
func (t *tracker) add(offset int64, at time.Time) bool {
	if n := len(t.records); offset < t.next || n > t.head && offset <= t.records[n-1].offset {
		return false
	}
	t.records = append(t.records, tracked{offset: offset, at: at})
	return true
}

// finish marks the record of a request as done; again, or for an offset that is not
// tracked, it does nothing.
func (t *tracker) finish(offset int64, id ledger.ID) {
	open := t.records[t.head:]
	i := sort.Search(len(open), func(i int) bool { return open[i].offset >= offset })
	if i == len(open) || open[i].offset != offset {
		return
	}
	open[i].done, open[i].id = true, id
	for t.head < len(t.records) && t.records[t.head].done {
		t.next, t.last = t.records[t.head].offset+1, t.records[t.head].at
		t.head++
	}
	t.compact()
}

// compact gives the room of done records back once they are the larger part, so
// that finishing stays cheap on average.
func (t *tracker) compact() {
	if t.head < 64 || t.head < len(t.records)/2 {
		return
	}
	n := copy(t.records, t.records[t.head:])
	t.records, t.head = t.records[:n], 0
}

// ahead adds the requests that are done and whose offsets may not be committed.
func (t *tracker) ahead(ids []ledger.ID) []ledger.ID {
	for _, r := range t.records[t.head:] {
		if r.done && r.id != (ledger.ID{}) {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// span is how many records there are from the first that is not done to the
// last tracked one.
func (t *tracker) span() int { return len(t.records) - t.head }
