package stream

import (
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// phase is where a member stands between two generations.
type phase int

const (
	phaseApart   phase = iota // no join request is out
	phaseJoining              // a join request is out, or about to go
	phaseJoined               // the coordinator has answered it
	phaseLive                 // a generation runs
)

// rejoin watches kafka-go's group between two generations, to fence what the
// end of a generation has left running at the two moments that matter and that
// kafka-go v0.4.51 reports in no other way:
//
//   - The join request has been answered. From here on the leader's plan may
//     give our shards to others, and they may start before our own share of it
//     reaches us. It is told by the first log line after UserData was asked for.
//   - Joining failed. kafka-go then gives the membership up: it sends LeaveGroup
//     and forgets its member id, so the group need not wait for us any more. The
//     error is logged right before that, on the same goroutine. (A join refused
//     with RebalanceInProgress is the one that keeps the membership.)
//
// Both come from the goroutine that goes on to send the next request, so the
// fence has fallen before it does. Should a later kafka-go log less, a rejoin
// keeps its time bound; tests pin both moments.
type rejoin struct {
	fence    func(cause error)
	debug    kafka.Logger
	warnings kafka.Logger

	mu       sync.Mutex // guards the two below
	phase    phase
	answered time.Time // when the last join was answered; zero: not known
}

func (r *rejoin) enter(next phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = next
	if next == phaseJoining {
		r.answered = time.Time{}
	}
}

// answeredAt returns when the last join was answered, or zero if that went
// unnoticed. The coordinator restarts our session later than that, when it
// handles the sync request.
func (r *rejoin) answeredAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answered
}

func (r *rejoin) is(p phase) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phase == p
}

// Printf takes kafka-go's ordinary log lines.
func (r *rejoin) Printf(format string, args ...any) {
	r.mu.Lock()
	answered := r.phase == phaseJoining
	if answered {
		r.phase, r.answered = phaseJoined, time.Now()
	}
	r.mu.Unlock()
	if answered {
		r.fence(ErrRebalance)
	}
	r.debug.Printf(format, args...)
}

// failures takes kafka-go's error log lines.
func (r *rejoin) failures() kafka.Logger {
	return kafka.LoggerFunc(func(format string, args ...any) {
		r.mu.Lock()
		between := r.phase != phaseLive
		if between {
			r.phase = phaseApart
		}
		r.mu.Unlock()
		if cause := firstError(args); between && !errors.Is(cause, kafka.RebalanceInProgress) {
			r.fence(cause)
		}
		r.warnings.Printf(format, args...)
	})
}

func firstError(args []any) error {
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			return err
		}
	}
	return ErrRebalance
}
