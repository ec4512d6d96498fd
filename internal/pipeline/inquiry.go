package pipeline

import (
	"context"
	"errors"
	"sync"
	"time"

	"reauth/internal/vendors"
)

// inquiry asks a lane's vendor what became of calls. A vendor may list the calls of
// a whole day to answer for one, and each page is a request that takes the place of
// a call: so those who come while it asks are asked about together next, and as long
// as they are few that waits until the pages are a small part of all requests. It is
// safe for concurrent use.
type inquiry struct {
	lane   *vendors.Lane
	finder vendors.Finder // nil if the vendor cannot be asked
	many   chan struct{}  // tells whoever asks next that as many wait as are worth it

	mu      sync.Mutex // guards what follows
	asking  bool
	waiting []question
	pages   int       // of the last time
	next    time.Time // not before then for a few
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
	return &inquiry{lane: lane, finder: finder, many: make(chan struct{}, 1)}
}

const (
	// maxQuestions bounds what is asked about at once, and how much waits meanwhile.
	maxQuestions = 1000
	// worthAPage is for how many questions at least a page is read at once.
	worthAPage = 10
	// pagesShare is how much of the calls that this replica may make is for pages
	// that fewer wait for; they wait no longer for that than maxPause.
	pagesShare = 0.02
	maxPause   = 15 * time.Second
)

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
	if len(q.waiting) >= q.enough() {
		select {
		case q.many <- struct{}{}:
		default:
		}
	}
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
		q.pause(ctx)
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

// enough is how many questions are asked without a pause.
func (q *inquiry) enough() int { return min(maxQuestions, max(1, worthAPage*q.pages)) }

// pause waits until enough wait to be asked about, or it is time for a few.
func (q *inquiry) pause(ctx context.Context) {
	q.mu.Lock()
	wait, few := time.Until(q.next), len(q.waiting) > 0 && len(q.waiting) < q.enough()
	q.mu.Unlock()
	if wait <= 0 || !few {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-q.many:
	case <-ctx.Done():
	}
}

// told takes in how many pages the vendor's answer took.
func (q *inquiry) told(pages int) {
	pause := time.Duration(0)
	if share := q.lane.Share(); share > 0 {
		pause = min(maxPause, time.Duration(float64(pages)/(pagesShare*share)*float64(time.Second)))
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pages, q.next = pages, time.Now().Add(pause)
	select {
	case <-q.many: // it was about those who were asked about just now
	default:
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
	pages := 0
	turn := func(ctx context.Context, do func(context.Context) error) error {
		pages++
		return q.lane.TurnAhead(ctx, do)
	}
	var found [][]vendors.Verdict
	err := q.lane.Contain("find", func() (err error) {
		found, err = q.finder.Find(ctx, calls, since, turn)
		return err
	})
	if err == nil {
		q.told(pages)
	}
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
