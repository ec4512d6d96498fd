package vendors

import (
	"context"
	"sync"
	"time"
)

// Valve pauses a path on a fault that every request would meet (a wrong key, no
// credit, no access), so that requests are kept and not failed one by one.
// While it is shut one request at a time is let through as a probe, after a
// delay that doubles with every fault in a row. A Valve is safe for concurrent
// use; its zero value is open, with the default delays.
type Valve struct {
	// First and Most bound the delay before a probe; 1 s and 15 s if zero.
	First, Most time.Duration
	// OnChange is told of each change, under the valve's lock: it must be
	// brief and not call the valve. fault is nil when the valve opened.
	OnChange func(fault error)

	mu      sync.Mutex
	fault   error // nil while open
	faults  int   // in a row
	probeAt time.Time
	probing bool
	changed chan struct{} // closed and replaced when waiters should look again
}

// Pass is the permission to use the path once. Exactly one of its methods is
// called, when the use is over.
type Pass struct {
	valve *Valve
	probe bool
}

// Fault returns what the path is paused for, nil while it is open.
func (v *Valve) Fault() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fault
}

// Enter waits until the path is open, or until it is the caller's turn to
// probe. Its error is the context's cause.
func (v *Valve) Enter(ctx context.Context) (Pass, error) {
	for {
		pass, wait, changed, ok := v.try()
		if ok {
			return pass, nil
		}
		if err := sleep(ctx, wait, changed); err != nil {
			return Pass{}, err
		}
	}
}

// TryEnter is Enter that does not wait; false says that it would have to.
func (v *Valve) TryEnter() (Pass, bool) {
	pass, _, _, ok := v.try()
	return pass, ok
}

// try returns a pass, or how long to wait before it can be had, or less if
// changed is closed; a wait of 0 means until changed.
func (v *Valve) try() (pass Pass, wait time.Duration, changed <-chan struct{}, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fault == nil {
		return Pass{valve: v}, 0, nil, true
	}
	if v.changed == nil {
		v.changed = make(chan struct{})
	}
	if v.probing {
		return Pass{}, 0, v.changed, false
	}
	if wait = time.Until(v.probeAt); wait > 0 {
		return Pass{}, wait, v.changed, false
	}
	v.probing = true
	return Pass{valve: v, probe: true}, 0, nil, true
}

// Succeed says that the path works: a probe's success opens the valve. Success
// of a use that began before the fault says nothing.
func (p Pass) Succeed() {
	if !p.probe {
		return
	}
	p.valve.mu.Lock()
	defer p.valve.mu.Unlock()
	p.valve.fault, p.valve.faults, p.valve.probing = nil, 0, false
	p.valve.changeLocked()
	if p.valve.OnChange != nil {
		p.valve.OnChange(nil)
	}
}

// Fail shuts the valve for fault, or keeps it shut.
func (p Pass) Fail(fault error) {
	v := p.valve
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fault != nil && !p.probe {
		return // the valve knows already
	}
	if p.probe {
		v.probing = false
	}
	first, most := v.First, v.Most
	if first == 0 {
		first = time.Second
	}
	if most == 0 {
		most = 15 * time.Second
	}
	v.fault = fault
	v.probeAt = time.Now().Add(min(most, first<<min(v.faults, 16)))
	v.faults++
	v.changeLocked()
	if v.OnChange != nil {
		v.OnChange(fault)
	}
}

// Release gives back a pass whose use said nothing about the path.
func (p Pass) Release() {
	if !p.probe {
		return
	}
	p.valve.mu.Lock()
	defer p.valve.mu.Unlock()
	p.valve.probing = false
	p.valve.changeLocked()
}

func (v *Valve) changeLocked() {
	if v.changed != nil {
		close(v.changed)
		v.changed = nil
	}
}

// sleep waits for the duration, for changed, or for the context, whose cause is
// its only error. A duration of 0 waits for the other two.
func sleep(ctx context.Context, d time.Duration, changed <-chan struct{}) error {
	var due <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-due:
		return nil
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
