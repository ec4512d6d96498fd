package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// fleet are the replicas of a group, each a process of its own.
type fleet struct {
	w        *world
	settings []string
	started  int
	alive    []*consumer
}

// add starts another replica.
func (f *fleet) add() error {
	f.started++
	// A replica's name has to be its own: by it claims are told apart.
	c, err := f.w.startConsumer(slices.Concat(f.settings, []string{fmt.Sprintf("REAUTH_KAFKA__CLIENT_ID=bench-%d", f.started)})...)
	if err != nil {
		return err
	}
	f.alive = append(f.alive, c)
	return nil
}

// settle waits until every shard has an owner at work, evenly.
func (f *fleet) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errUnsettled)
	defer cancel()
	for {
		settled, err := f.settled(ctx)
		if err != nil || settled {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

var errUnsettled = errors.New("the replicas do not share the shards out among them")

func (f *fleet) settled(ctx context.Context) (bool, error) {
	most := (shards + len(f.alive) - 1) / len(f.alive)
	total := 0
	for _, c := range f.alive {
		if err := c.alive(); err != nil {
			return false, err
		}
		owned, err := c.shards(ctx)
		if err != nil || len(owned) > most {
			return false, err
		}
		for _, shard := range owned {
			if _, works := c.workedSince(shard, time.Time{}); !works {
				return false, nil
			}
		}
		total += len(owned)
	}
	return total == shards, nil
}

// shards returns the shards that the replica owns; none before it answers.
func (c *consumer) shards(ctx context.Context) ([]int, error) {
	if c.log.opsAddr() == "" {
		return nil, nil
	}
	m, err := c.metrics(ctx)
	if err != nil {
		return nil, err
	}
	return m.numbers("reauth_shard_lag_records", "partition"), nil
}

// workedSince returns when the replica first came to work on the shard past the
// time.
func (c *consumer) workedSince(shard int, past time.Time) (at time.Time, ok bool) {
	for _, w := range c.log.restored() {
		if w.shard == shard && w.at.After(past) {
			return w.at, true
		}
	}
	return time.Time{}, false
}

// death is what a replica left behind.
type death struct {
	at      time.Time
	shards  []int
	metrics metrics
	cpu     time.Duration
}

// kill ends the first replica that owns something as a power cut does.
func (f *fleet) kill(ctx context.Context) (d death, err error) {
	for i, c := range f.alive {
		if d.metrics, err = c.metrics(ctx); err != nil {
			return d, err
		}
		if d.shards = d.metrics.numbers("reauth_shard_lag_records", "partition"); len(d.shards) == 0 {
			continue
		}
		if d.cpu, err = c.cpu(); err != nil {
			return d, err
		}
		d.at = time.Now()
		c.kill()
		f.alive = slices.Delete(f.alive, i, i+1)
		return d, nil
	}
	return d, errUnsettled
}

// orphaned returns for how long the shards of the dead replica had nobody at
// work, added up, until the end given at most, and the longest of them.
func (f *fleet) orphaned(d death, end time.Time) (sum, longest time.Duration) {
	for _, shard := range d.shards {
		until := end
		for _, c := range f.alive {
			if at, ok := c.workedSince(shard, d.at); ok && at.Before(until) {
				until = at
			}
		}
		sum += until.Sub(d.at)
		longest = max(longest, until.Sub(d.at))
	}
	return sum, longest
}

// metrics returns those of all replicas that are alive, added up.
func (f *fleet) metrics(ctx context.Context) (metrics, error) {
	sum := metrics{}
	for _, c := range f.alive {
		m, err := c.metrics(ctx)
		if err != nil {
			return nil, err
		}
		for series, value := range m {
			sum[series] += value
		}
	}
	return sum, nil
}

// cpu returns the CPU time of all replicas that are alive.
func (f *fleet) cpu() (sum time.Duration, err error) {
	for _, c := range f.alive {
		used, err := c.cpu()
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// stop asks all replicas to end and waits until they have.
func (f *fleet) stop() error {
	faults := make([]error, len(f.alive))
	var wg sync.WaitGroup
	for i, c := range f.alive {
		wg.Go(func() { faults[i] = c.stop() })
	}
	wg.Wait()
	return errors.Join(faults...)
}
