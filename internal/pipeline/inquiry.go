package pipeline

import (
	"context"
	"errors"
	"sync"
	"time"

	"reauth/internal/vendors"
)

// inquiry asks a lane's vendor what became of calls. Those that come while it
// asks are asked about together next: a vendor may list the calls of a whole day
// to answer for one. It is safe for concurrent use.
type inquiry struct {
	lane   *vendors.Lane
	finder vendors.Finder // nil if the vendor cannot be asked

	mu      sync.Mutex // guards what follows
	asking  bool
	waiting []question
}

// question is about one call made at or after since.
type question struct {
	call   vendors.Call
	since  time.Time
	answer chan<- answer
}

type answer struct {
	found []vendors.Verdict
	err   error
}

func newInquiry(lane *vendors.Lane) *inquiry {
	finder, _ := lane.Adapter().(vendors.Finder)
	return &inquiry{lane: lane, finder: finder}
}

// maxQuestions bounds what is asked about at once, and how much waits meanwhile.
const maxQuestions = 1000

// ask returns the authentications that the vendor made for a call's subject
// since then, oldest first. Whoever finds nobody asking asks for all who wait.
func (q *inquiry) ask(ctx context.Context, call vendors.Call, since time.Time) ([]vendors.Verdict, error) {
	answered := make(chan answer, 1)
	q.mu.Lock()
	if len(q.waiting) >= maxQuestions {
		q.mu.Unlock()
		return nil, errManyAsk
	}
	q.waiting = append(q.waiting, question{call, since, answered})
	mine := !q.asking
	q.asking = true
	q.mu.Unlock()
	if mine {
		q.askAll(ctx)
	}
	select {
	case a := <-answered:
		return a.found, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// askAll asks until nobody waits. If its context ends, those who wait are told
// that nothing was learnt, and ask again themselves.
func (q *inquiry) askAll(ctx context.Context) {
	for {
		q.mu.Lock()
		n := min(len(q.waiting), maxQuestions)
		questions := q.waiting[:n:n]
		q.waiting = q.waiting[n:]
		q.asking = n > 0
		q.mu.Unlock()
		if n == 0 {
			return
		}
		q.askAbout(ctx, questions)
	}
}

func (q *inquiry) askAbout(ctx context.Context, questions []question) {
	calls := make([]vendors.Call, len(questions))
	since := questions[0].since
	for i, one := range questions {
		calls[i] = one.call
		if one.since.Before(since) {
			since = one.since
		}
	}
	found, err := q.finder.Find(ctx, calls, since, q.lane.TurnAhead)
	if err != nil && ctx.Err() != nil {
		err = errNotAsked
	}
	for i, one := range questions {
		if err != nil {
			one.answer <- answer{err: err}
			continue
		}
		mine := found[i]
		for len(mine) > 0 && mine[0].At.Before(one.since) {
			mine = mine[1:]
		}
		one.answer <- answer{found: mine}
	}
}

// errManyAsk: as many wait as can be asked about next.
var errManyAsk = errors.New("many wait to ask the vendor")

// errNotAsked: whoever was asking for all stopped; nothing was learnt.
var errNotAsked = errors.New("the vendor was not asked")
