package main

import "sync"

// prefix knows up to which row a manifest is published, while batches end in
// any order. Any goroutine may use it.
type prefix struct {
	mu   sync.Mutex  // guards the rest
	last int         // all rows up to this one are done
	runs map[int]int // by first row: the last row of a batch that is done out of turn
}

func newPrefix(last int) *prefix { return &prefix{last: last, runs: make(map[int]int)} }

// done says that the rows from first to last are.
func (p *prefix) done(first, last int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs[first] = last
	for {
		end, ok := p.runs[p.last+1]
		if !ok {
			return
		}
		delete(p.runs, p.last+1)
		p.last = end
	}
}

func (p *prefix) row() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}
