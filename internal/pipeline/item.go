package pipeline

import (
	"time"

	"reauth/internal/event"
)

// item is a request on its way. One goroutine at a time works on it: the one
// that popped it from the queue, or whoever holds it parked.
type item struct {
	shard    *shard
	record   event.Record
	request  event.Request
	priority bool
	fetched  time.Time
	due      time.Time // while parked

	attempts int // tries, those that ended before a call included
	calls    int // vendor calls made
	spent    spent
	sha256   string
	bytes    int64
}

// spent is the time a request took in each step, over all its attempts.
type spent struct {
	queued, selfie, permit, vendor time.Duration
	started                        bool
}

// rank is the index of the queue's line that the request stands in.
func (it *item) rank() int {
	if it.priority {
		return 1
	}
	return 0
}

// expired says whether the request must be closed without a call.
func (it *item) expired(now time.Time) bool {
	return !it.request.NotAfter.IsZero() && now.After(it.request.NotAfter)
}

// weight is what the request counts for in the backlog, in bytes: the record,
// which is kept for a dead letter, and about as much again for what is decoded
// from it.
func (it *item) weight() int64 {
	n := len(it.record.Key) + len(it.record.Value)
	for _, h := range it.record.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return int64(2*n) + 512
}
