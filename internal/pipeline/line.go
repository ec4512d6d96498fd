package pipeline

import (
	"math"
	"sync"

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
}

// prepareAhead is for how long a lane's permits, in seconds, selfies are
// fetched ahead: longer than a fetch takes.
const prepareAhead = 0.5

// minPreparing and maxPreparing bound the requests on their way to a permit;
// the latter also stands for a lane without a limit.
const (
	minPreparing = 16
	maxPreparing = 256
)

func newLine(lane *vendors.Lane) *line {
	preparing := maxPreparing
	if perSecond := lane.PerSecond(); perSecond > 0 {
		preparing = int(min(maxPreparing, max(minPreparing, math.Ceil(perSecond*prepareAhead))))
	}
	return &line{
		lane:      lane,
		queue:     newQueue(),
		preparing: make(chan struct{}, preparing),
		begun:     make(chan struct{}, preparing+lane.MaxInFlight()),
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
			p.process(it, l, sync.OnceFunc(func() { <-l.preparing }))
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
