package pipeline

import (
	"math"
	"sync"
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

func newLine(lane *vendors.Lane, retryShare float64, weight func(campaign string) float64) *line {
	preparing := MaxPreparing
	if perSecond := lane.PerSecond(); perSecond > 0 {
		preparing = int(min(MaxPreparing, max(minPreparing, math.Ceil(perSecond*prepareAhead))))
	}
	reviewer, _ := lane.Adapter().(vendors.Reviewer)
	queue := newQueue(weight)
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
		p.wg.Go(func() {
			defer func() { <-l.begun }()
			ready := sync.OnceFunc(func() {
				<-l.preparing
				l.queue.prepared(it)
			})
			p.process(it, l, ready)
		})
	}
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
// the ledger in time: what claims took lately, with a margin, less what a call may
// be late.
type lead struct{ nanos atomic.Int64 }

// minLead and maxLead bound the lead; the first is also where it starts. The rest
// of vendors.Lateness is for processors that are busy.
const (
	minLead = 3 * time.Millisecond
	maxLead = time.Second
	late    = vendors.Lateness * 7 / 10
)

func (l *lead) get() time.Duration { return max(minLead, l.claims()-late) }

// claims is what claims took lately, with a margin.
func (l *lead) claims() time.Duration { return time.Duration(l.nanos.Load()) }

// observe follows a slow claim at once, and quick ones slowly: each step up passes
// over the slots in between, so a lead that came down soon would lose some at
// every slow claim. That another observation may be lost between reading and
// writing does no harm.
func (l *lead) observe(took time.Duration) {
	want := min(maxLead, took+took/2)
	l.nanos.Store(int64(max(want, l.claims()-l.claims()/512)))
}
