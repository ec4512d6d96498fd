package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"reauth/internal/event"
)

// audit takes in the results while something else goes on, and knows which
// requests have theirs.
type audit struct {
	results *results
	ended   chan struct{}

	mu       sync.Mutex // guards what follows
	counts   map[int]int
	outcomes map[event.Outcome]int
	err      error
}

func (w *world) audit(ctx context.Context) (*audit, error) {
	results, err := w.results(ctx)
	if err != nil {
		return nil, err
	}
	a := &audit{results: results, ended: make(chan struct{}), counts: map[int]int{}, outcomes: map[event.Outcome]int{}}
	go a.takeIn(ctx)
	return a, nil
}

// takeIn ends with the first fault, which is how readers end that are closed.
func (a *audit) takeIn(ctx context.Context) {
	defer close(a.ended)
	for {
		select {
		case one := <-a.results.seen:
			a.mu.Lock()
			a.counts[one.number]++
			a.outcomes[one.outcome]++
			a.mu.Unlock()
		case err := <-a.results.fault:
			a.mu.Lock()
			a.err = err
			a.mu.Unlock()
			return
		case <-ctx.Done():
			return
		}
	}
}

// done returns how many requests have a result.
func (a *audit) done() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.counts)
}

// await waits until n requests have a result, for as long as is given from the
// last one that came.
func (a *audit) await(ctx context.Context, n int, patience time.Duration) error {
	last, at := a.done(), time.Now()
	for last < n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.ended:
			return a.fault()
		case <-time.After(50 * time.Millisecond):
		}
		if done := a.done(); done > last {
			last, at = done, time.Now()
		} else if time.Since(at) > patience {
			return fmt.Errorf("%d of %d requests have no result, and none came for %s: %w", n-last, n, patience, errLost)
		}
	}
	return nil
}

func (a *audit) fault() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// verify says what is wrong when the requests below n should have one result
// each.
func (a *audit) verify(n int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	repeated := 0
	for _, count := range a.counts {
		if count > 1 {
			repeated++
		}
	}
	var faults []error
	if lost := n - len(a.counts); lost > 0 {
		faults = append(faults, fmt.Errorf("%d of %d requests: %w", lost, n, errLost))
	}
	if repeated > 0 {
		faults = append(faults, fmt.Errorf("%d requests have more than one result", repeated))
	}
	if a.outcomes[event.Approved] < len(a.counts) {
		faults = append(faults, fmt.Errorf("outcomes %v: %w", maps.Clone(a.outcomes), errUnexpected))
	}
	return errors.Join(faults...)
}

var errLost = errors.New("results are missing")

func (a *audit) close() {
	a.results.close()
	<-a.ended
}
