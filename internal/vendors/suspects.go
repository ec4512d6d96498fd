package vendors

import (
	"errors"
	"sync"
	"time"
)

const (
	// aloneAfter is how many times a request is answered as if every call were at
	// fault, or too many, while calls for others that began after each of these
	// answers go well, before it is believed to be at fault by itself. Each time
	// costs the lane a pause; a path that works only now and then must not have
	// requests given up.
	aloneAfter = 5
	// mostSuspects bounds how many requests are remembered: those at the vendor at
	// once when a lane's fault begins, and some.
	mostSuspects = 1024
)

// errAlone says why an answer that is about the lane is counted as the request's.
var errAlone = errors.New("only this request is answered like that, time and again, and others well in between: " +
	"a firewall before the vendor may take offence at its selfie, or the vendor at its person")

// suspects are the requests whose last answers were faults of the lane or throttling,
// which a firewall may give to one selfie and a vendor to one person. Such a request
// would be kept, and stop the lane for all others each time that it comes up. The zero
// value has none; it is safe for concurrent use.
//
// Only calls for other requests show that such a request is alone with its answer. The
// free check does not: it goes well without credit too, or with the feature off, and
// then requests that come one by one would all be given up. So the last request of an
// idle lane is kept, the lane is paused for it, and each probe is a call for it, until
// others come, which wait for two probes at most, or somebody takes it back.
type suspects struct {
	mu sync.Mutex
	// worked is when the call began that began last of those that went well.
	worked  time.Time
	answers map[string]suspect // by request id
}

// suspect is what a request was answered.
type suspect struct {
	last  time.Time
	times int // not counting those since whose predecessor no call has gone well
}

// judge takes in the end of a call for a request that began at a time. It returns err,
// or in its place an Unexplained error when the request is at fault by itself.
func (s *suspects) judge(request string, began time.Time, err error) error {
	fault, _ := errors.AsType[*Error](err)
	if err != nil && fault == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil, fault.Kind == Refused:
		s.worked = latest(s.worked, began)
		delete(s.answers, request)
		return err
	case fault.Kind != LaneFault && fault.Kind != Throttled:
		return err
	}
	if s.count(request) <= aloneAfter {
		return err
	}
	alone := *fault
	alone.Kind, alone.Err = Unexplained, errAlone
	return &alone
}

// count counts one more answer and returns how many there are. The caller holds mu.
func (s *suspects) count(request string) (times int) {
	seen, known := s.answers[request]
	if !known {
		s.makeRoom()
	}
	if !known || s.worked.After(seen.last) {
		seen.times++
	}
	seen.last = time.Now()
	s.answers[request] = seen
	return seen.times
}

// makeRoom forgets the request that was answered longest ago if there are too many.
// The caller holds mu.
func (s *suspects) makeRoom() {
	if s.answers == nil {
		s.answers = make(map[string]suspect)
	}
	if len(s.answers) < mostSuspects {
		return
	}
	var oldest string
	for request, seen := range s.answers {
		if oldest == "" || seen.last.Before(s.answers[oldest].last) {
			oldest = request
		}
	}
	delete(s.answers, oldest)
}
