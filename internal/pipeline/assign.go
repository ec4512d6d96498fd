package pipeline

import (
	"time"

	"reauth/internal/stream"
)

// Assign starts a generation. Shards that stay keep their readers, trackers and
// requests: to them a rebalance is nothing. Shards that left are fenced before
// it returns; what is at the vendor for them ends in a result, but is not
// committed.
func (p *Pipeline) Assign(a stream.Assignment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range a.Lost {
		s := p.shards[id]
		delete(p.shards, id)
		s.leave()
		p.sweep(s)
	}
	for _, l := range p.lines {
		l.lane.SetShards(a.Shards, a.Total)
		l.lane.SetProbeTurns(a.Shards, a.Total)
	}
	for _, id := range a.Gained {
		p.startLocked(id, a.Next[id])
	}
	p.total, p.assigned = a.Total, true
	p.lease.renew(a.Until)
	p.keepLocked()
	p.log.Info("generation started", "generation", a.Generation, "total", a.Total,
		"kept", a.Kept, "gained", a.Gained, "lost", a.Lost, "open", p.openLocked(a.Kept))
}

func (p *Pipeline) startLocked(id int, next map[string]int64) {
	s := newShard(p.take, id, p.cfg, next)
	p.shards[id] = s
	if s.ctx.Err() != nil {
		return // stopping: the drain waits for what runs, and nothing is begun
	}
	p.wg.Go(func() { p.own(s, next) })
}

// openLocked returns how many requests are open on the shards.
func (p *Pipeline) openLocked(ids []int) (n int) {
	for _, id := range ids {
		n += len(p.shards[id].room)
	}
	return n
}

// Suspend ends a generation: the owned shards go on, but no call is made after
// until, unless a new generation starts before. It returns how long the slots take
// to begin that calls have gone ahead of: until then others must not use them.
func (p *Pipeline) Suspend(until time.Time, cause error) time.Duration {
	p.lease.suspend(until)
	p.log.Info("generation ended; working on", "calls_until", until, "cause", cause)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keepLocked()
}

// Sustain says that the coordinator keeps the shards for us until then.
func (p *Pipeline) Sustain(until time.Time) {
	p.lease.sustain(until)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keepLocked()
}

// keepLocked tells the lanes until when the shards are surely ours.
func (p *Pipeline) keepLocked() (takes time.Duration) {
	until := p.lease.surely()
	for _, l := range p.lines {
		takes = max(takes, l.lane.Keep(until))
	}
	return takes
}

// Next returns what may be committed, by topic and partition.
func (p *Pipeline) Next() map[string]map[int]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	offsets := map[string]map[int]int64{}
	for _, s := range p.shards {
		s.next(offsets)
	}
	return offsets
}

// Committed is told of each commit.
func (p *Pipeline) Committed(_ map[string]map[int]int64, err error) {
	if err != nil {
		p.log.Warn("commit failed; what was to be committed will be with the next", "error", err)
	}
}

// Shards returns how many shards this replica owns, of how many. assigned is
// false before the first generation, and while another replica may own them.
func (p *Pipeline) Shards() (owned, total int, assigned bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.shards), p.total, p.assigned && p.lease.held()
}

// StoreFault returns what the fetching of selfies is paused for, nil while it
// is not.
func (p *Pipeline) StoreFault() error { return p.store.fault() }
