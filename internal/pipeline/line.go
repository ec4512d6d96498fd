package pipeline

import (
	"math"
	"sync/atomic"
	"time"

	"reauth/internal/vendors"
)

// line is the queue before a lane and the bounds on what is taken from it.
type line struct {
	lane  *vendors.Lane
	queue *queue
	// preparing holds a token for each request that is on its way to a
	// permit, and begun for each that an attempt is being made at. The first
	// bounds how many selfies wait for permits, the second keeps calls from
	// being made faster than their results can be published.
	preparing, begun chan struct{}
	// idle hands a request to a goroutine that has ended its last one.
	idle chan *item
	// brake stops the calls by order.
	brake    *brake
	lead     lead
	budget   *budget
	inquiry  *inquiry
	reviewer vendors.Reviewer // nil if the vendor never changes a verdict
	// calling is how long calls take.
	calling calling
	// breakerNews are to be told to the other replicas.
	breakerNews chan vendors.BreakerNews
}

// prepareAhead is for how long a lane's permits, in seconds, selfies are
// fetched ahead: longer than a fetch takes.
const prepareAhead = 0.5

// minPreparing and MaxPreparing bound the requests on their way to a permit;
// the latter also stands for a lane without a limit.
const (
	minPreparing = 16
	MaxPreparing = 96
)

func newLine(lane *vendors.Lane, retryShare float64, weight func(campaign string) float64, takenBack func(*item) bool) *line {
	preparing := MaxPreparing
	if perSecond := lane.PerSecond(); perSecond > 0 {
		preparing = int(min(MaxPreparing, max(minPreparing, math.Ceil(perSecond*prepareAhead))))
	}
	reviewer, _ := lane.Adapter().(vendors.Reviewer)
	queue := newQueue(weight)
	queue.takenBack = takenBack
	if lane.Counts() {
		queue.stalls = newStalls(lane.Room, weight)
	}
	news := make(chan vendors.BreakerNews, 16)
	lane.OnBreaker(func(n vendors.BreakerNews) {
		select {
		case news <- n:
		default: // the topic cannot be written
		}
	})
	return &line{
		breakerNews: news,
		reviewer:    reviewer,
		lane:        lane,
		brake:       newBrake(),
		queue:       queue,
		preparing:   make(chan struct{}, preparing),
		idle:        make(chan *item),
		begun:       make(chan struct{}, preparing+lane.MaxInFlight()),
		budget:      newBudget(retryShare),
		inquiry:     newInquiry(lane),
	}
}

// dispatch starts an attempt at each request of a line, as there is room.
func (p *Pipeline) dispatch(l *line) {
	for {
		if !acquire(p.take.Done(), l.begun) || !acquire(p.take.Done(), l.preparing) {
			return
		}
		it, err := l.queue.pop(p.take)
		if err != nil {
			return
		}
		select {
		case l.idle <- it:
		default:
			p.wg.Go(func() { p.attend(l, it) })
		}
	}
}

// attend takes requests that have begun up to their ends, it first, as long as any
// are begun. Its stack has then grown to what an attempt needs, which a new
// goroutine's does in steps, anew each time.
func (p *Pipeline) attend(l *line, it *item) {
	for {
		p.takeUp(l, it)
		select {
		case it = <-l.idle:
		case <-p.take.Done():
			return
		}
	}
}

// takeUp is process that gives its places in the line back.
func (p *Pipeline) takeUp(l *line, it *item) {
	defer func() { <-l.begun }()
	prepared := false
	p.process(it, l, func() {
		if !prepared {
			prepared = true
			<-l.preparing
			l.queue.prepared(it)
		}
	})
}

// acquire puts a token into tokens; false says that done came first.
func acquire(done <-chan struct{}, tokens chan<- struct{}) bool {
	select {
	case tokens <- struct{}{}:
		return true
	case <-done:
		return false
	}
}

// lead is how long before its slot a permit must be had for the claim to be in
// the ledger by then: what claims take, with a margin.
type lead struct{ nanos atomic.Int64 }

// minLead and maxLead bound the lead; the first is also where it starts.
const (
	minLead = 3 * time.Millisecond
	maxLead = time.Second
	// spareLead is how much longer a claim may take now and then: half of what
	// its call may be late. The rest is for processors that are busy, and none of
	// it is for every call: what calls are late for their slots, a window may
	// hold more.
	spareLead = vendors.Lateness / 2
	// calmLead is up to where a lead does no harm: calls may go before their slots
	// all the same.
	calmLead = vendors.SoonerLead
)

func (l *lead) get() time.Duration { return max(minLead, time.Duration(l.nanos.Load())) }

// observe follows a claim at once that was too slow for its call, others slowly,
// and quick ones most slowly: each step up passes over the slots in between, so a
// lead that came down soon would lose some at every slow claim. That another
// observation may be lost between reading and writing does no harm.
func (l *lead) observe(took time.Duration) {
	now, want := l.get(), min(maxLead, took+took/2)
	switch {
	case took > now+spareLead:
	case want > now:
		want = now + (want-now)/32
	case now > calmLead:
		want = now - (now-want)/256
	default:
		want = now - (now-want)/8192
	}
	l.nanos.Store(int64(want))
}
