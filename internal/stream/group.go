package stream

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// guard is kept between the last moment for a call and the first at which
// another member may own the shard: for timers that fire late and for a process
// that is paused between looking at the clock and sending.
const guard = time.Second

// GroupConfig says how to be a member. Zero durations take the defaults, which
// suit a cluster with Kafka's own limits (session 6 s to 30 min).
type GroupConfig struct {
	// Group is the consumer group's id. No other kind of client may share it:
	// kafka-go cannot read what Java, librdkafka or franz-go members announce.
	Group string
	// Topics are read together: partition p of each is shard p.
	Topics []string
	// Session is how long the coordinator waits for a sign of life before it
	// gives our shards to others. Default 30 s.
	Session time.Duration
	// Heartbeat is how often we send one, and thus how fast we notice a
	// rebalance. Default 3 s.
	Heartbeat time.Duration
	// Rebalance is how long the coordinator waits for members to rejoin.
	// Default 60 s.
	Rebalance time.Duration
	// Timeout bounds each request to the coordinator, joining apart. When one
	// runs out, the generation ends. Default 5 s.
	Timeout time.Duration
	// CommitEvery is how often progress is committed. Default 1 s.
	CommitEvery time.Duration
	// JoinBackoff is the pause after joining failed. Default 2 s.
	JoinBackoff time.Duration
	// PartitionWatch is how often we look for added partitions. Default 5 s.
	PartitionWatch time.Duration
	// Handover is how long a member that is told to leave may take until others
	// have its shards; after that it leaves all the same. Default: twice
	// Heartbeat (the others may have to notice a rebalance under way first)
	// and Timeout, but at most MaxHandover.
	Handover time.Duration
}

// MaxHandover is the longest that GroupConfig.Handover is by default.
const MaxHandover = 15 * time.Second

func (c GroupConfig) withDefaults() GroupConfig {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Session, 30 * time.Second},
		{&c.Heartbeat, 3 * time.Second},
		{&c.Rebalance, time.Minute},
		{&c.Timeout, 5 * time.Second},
		{&c.CommitEvery, time.Second},
		{&c.JoinBackoff, 2 * time.Second},
		{&c.PartitionWatch, 5 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Handover == 0 {
		c.Handover = min(2*c.Heartbeat+c.Timeout, MaxHandover)
	}
	return c
}

// validate reports every fault at once; defaults are filled in already.
func (c GroupConfig) validate() error {
	var faults []error
	if c.Group == "" {
		faults = append(faults, errors.New("the group has no id"))
	}
	if len(c.Topics) == 0 || slices.Contains(c.Topics, "") {
		faults = append(faults, errors.New("the group needs topics, each with a name"))
	}
	for name, d := range map[string]time.Duration{
		"session": c.Session, "heartbeat": c.Heartbeat, "rebalance": c.Rebalance, "timeout": c.Timeout,
		"commit interval": c.CommitEvery, "join back-off": c.JoinBackoff, "partition watch": c.PartitionWatch,
		"handover": c.Handover,
	} {
		if d < time.Millisecond {
			faults = append(faults, fmt.Errorf("%s %s is shorter than a millisecond", name, d))
		}
	}
	if need := c.notice() + guard; min(c.Session, c.Rebalance) <= need {
		faults = append(faults, fmt.Errorf("session %s and rebalance %s must both be longer than %s, twice heartbeat and timeout and a guard: else others may own a shard before we notice",
			c.Session, c.Rebalance, need))
	}
	return errors.Join(faults...)
}

// notice bounds how long ago the coordinator last answered a heartbeat well
// when a generation ends. Heartbeats go out every Heartbeat, or as soon as the
// one before is answered. One is answered, or fails, within Timeout of the last
// time that the connection's deadline was set; a commit that goes out after it
// sets it once more, and then waits itself, so within Heartbeat (or CommitEvery,
// if that is longer) plus Timeout. At worst the last good answer took that long,
// and then the next heartbeat took as long to fail.
func (c GroupConfig) notice() time.Duration {
	return 2 * (max(c.Heartbeat, c.CommitEvery) + c.Timeout)
}

// callsUntil returns until when new calls may be made for the shards of a
// generation that ended at ended, which we joined at joined, if we hear nothing
// more of the group. Somebody else can own our shards when
//
//   - the coordinator has heard nothing from us for Session: counted from its
//     last sign of life, a heartbeat or a commit (contact is when the last one
//     that succeeded was sent; the coordinator restarts the session at each, a
//     rule that Apache Kafka, Redpanda and kfake share), or
//   - a rebalance has lasted for Rebalance without us: counted from the last
//     heartbeat that was answered well, since one during a rebalance is not.
//     A commit is no proof here: it succeeds during a rebalance too.
//
// Any other way for the group to move on needs our rejoining, which is fenced on
// its own (see rejoin).
func (c GroupConfig) callsUntil(ended, joined, contact time.Time) time.Time {
	stable := later(ended.Add(-c.notice()), joined)
	alive := later(stable, contact)
	until := alive.Add(c.Session)
	if evicted := stable.Add(c.Rebalance); evicted.Before(until) {
		until = evicted
	}
	return until.Add(-guard)
}

// keptUntil returns until when the coordinator keeps our shards for us, with certainty,
// if what was sent at a time is the last that it heard: for Session, or for as long as a
// rebalance may last that began after the heartbeat before. A process that stands still
// sends nothing, and does not notice: when it goes on, this has passed, before it hears
// anything.
func (c GroupConfig) keptUntil(sent time.Time) time.Time {
	return sent.Add(min(c.Session, c.Rebalance-c.notice()/2) - guard)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
