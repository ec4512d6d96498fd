package stream

import (
	"context"
	"time"
)

// patience bounds the waits of one goroutine by idleCheck. One context serves many waits, until half
// of its time has passed: one for each record took more than all else that is
// done to read it (a fifth of the memory of a restore, by its allocations).
type patience struct {
	of      context.Context // what waiting was made of; nil: there is none
	waiting context.Context
	cancel  context.CancelFunc
	renew   time.Time
}

// within returns a context of ctx that ends in idleCheck at most, and in half
// of that at least.
func (p *patience) within(ctx context.Context) context.Context {
	now := time.Now()
	if p.of != ctx || now.After(p.renew) {
		p.end()
		p.waiting, p.cancel = context.WithTimeout(ctx, idleCheck)
		p.of, p.renew = ctx, now.Add(idleCheck/2)
	}
	return p.waiting
}

// end lets go of the context. One that nobody ends does so itself, in time.
func (p *patience) end() {
	if p.of != nil {
		p.cancel()
		p.of, p.waiting, p.cancel = nil, nil, nil
	}
}
