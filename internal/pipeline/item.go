package pipeline

import (
	"errors"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// item is a request on its way. One goroutine at a time works on it: the one
// that popped it from the queue, or whoever holds it parked.
type item struct {
	shard    *shard
	record   event.Record
	request  event.Request
	priority bool
	fetched  time.Time
	// id is the request's in the ledger, zero if the record holds no request.
	id ledger.ID

	// entry is the request in the shard's ledger; the shard's lock guards it.
	entry *ledger.Entry
	// tracked: the request's record is not done yet. A parked request's is:
	// it lives in the ledger.
	tracked bool
	// unsettled: an owner before us claimed or answered the request.
	unsettled bool
	// barrier is the number of that up to which the ledger must have been read
	// before an unsettled request is settled; 0 until it is written.
	barrier int64
	// unknownSince is when a call was made of which nobody knows what became,
	// zero if there is none.
	unknownSince time.Time
	// uncounted: that call was a former owner's, and is not in calls.
	uncounted bool
	// unheard is how often in a row the vendor was asked about it and was out.
	unheard int
	// claim is the number of our last claim, 0 if there is none, and until is
	// its end.
	claim int
	until time.Time

	// state and reference are the vendor's, of a verdict that is still to come.
	state, reference string
	called           time.Time // when the last call left for the vendor

	tried    bool // the attempt under way is counted
	attempts int  // tries, those that ended before a call included
	calls    int  // vendor calls made
	spent    spent

	// reserved is what the request may cost, as the ledger knows it, and
	// claimedFor what our last claim says of that.
	reserved, claimedFor ledger.Spend
	// claimedCalls is how many calls were made before our last claim.
	claimedCalls int
	// repeated is what a call may cost in addition that is about to be
	// repeated.
	repeated event.Amount

	// selfie is the last that was fetched or, while nobody knows what became of a
	// call, the one that it was made with. claimedWith is that of our last claim.
	selfie, claimedWith ledger.Selfie
}

// spent is the time a request took in each step, over the attempts since it was
// fetched or woken.
type spent struct {
	queued, selfie, permit, vendor time.Duration
	started                        bool
}

// start notes how long the request was queued before it was first taken up.
func (it *item) start(now time.Time) {
	if !it.spent.started {
		it.spent.started = true
		it.spent.queued = max(0, now.Sub(it.record.Time))
	}
}

// rank is that of the request in the queue.
func (it *item) rank() int {
	switch {
	case it.unsettled:
		return rankUnsettled
	case it.priority:
		return rankPriority
	}
	return rankBulk
}

// expired says whether the request must be closed without a call. One that the
// vendor is at is not: its adapter has a last look at it.
func (it *item) expired(now time.Time) bool {
	return it.state == "" && !it.request.NotAfter.IsZero() && now.After(it.request.NotAfter)
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

// revision numbers the results of a request: one that was sent back after it
// had failed has another result, which must not look like the same again.
func (it *item) revision() int { return 1 + event.Redrives(it.record) }

// laterRevision is the revision if it is not the first, and else 0.
func (it *item) laterRevision() int {
	if n := it.revision(); n > 1 {
		return n
	}
	return 0
}

// source is the position of the request's record as the ledger knows it.
func (it *item) source() ledger.Source {
	return ledger.Source{Topic: it.record.Topic, Offset: it.record.Offset}
}

// unpack makes a request that lives in the ledger ready for work.
func unpack(w waiter, rules event.Rules, priorityTopic string) (*item, error) {
	s, e := w.shard, w.entry
	it := &item{shard: s, entry: e, fetched: time.Now(), unsettled: w.unsettled}
	s.mu.Lock()
	original := e.Original()
	it.unknownSince, it.selfie, it.attempts, it.calls = e.Called, e.Selfie(), e.Attempts, e.Calls
	it.state, it.reference = e.Pending()
	it.reserved = e.Spend()
	source := e.Source
	s.mu.Unlock()
	if original == nil {
		return nil, errors.New("a parked request without its original")
	}
	it.record = event.Record{
		Topic: source.Topic, Partition: s.id, Offset: source.Offset,
		Key: original.Key, Value: []byte(original.Value), Headers: original.Headers, Time: original.Time,
	}
	it.priority = source.Topic == priorityTopic
	var err error
	it.request, err = event.Decode(it.record, rules)
	return it, err
}
