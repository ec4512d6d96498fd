package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/segmentio/kafka-go"
)

// First returns the first position that the partition still has. Like End and
// OffsetAt it tries again for up to Config.Timeout while a leader is elected.
func (c *Client) First(ctx context.Context, topic string, partition int) (int64, error) {
	first, _, err := c.extent(ctx, topic, partition)
	return first, err
}

// End returns the position after the last record that a Reader would read now: all
// in-sync replicas have it, and no transaction before it is open.
func (c *Client) End(ctx context.Context, topic string, partition int) (int64, error) {
	found, err := c.listOffsets(ctx, topic, kafka.ReadCommitted, kafka.LastOffsetOf(partition))
	if err != nil {
		return 0, fmt.Errorf("looking up the end of %s/%d: %w", topic, partition, err)
	}
	return found.LastOffset, nil
}

// OffsetAt returns the position of the first record whose timestamp is t or
// later, or an end of the partition before which there is none: what is written
// meanwhile lies behind it. Timestamps are those that the producers gave, to the
// millisecond, unless the topic says otherwise.
func (c *Client) OffsetAt(ctx context.Context, topic string, partition int, t time.Time) (int64, error) {
	// The end is asked for first, on its own: of two questions at once, the one about
	// the end may be answered after a record that the one about the time did not see.
	end, err := c.End(ctx, topic, partition)
	if err != nil {
		return 0, err
	}
	found, err := c.listOffsets(ctx, topic, kafka.ReadCommitted, kafka.TimeOffsetOf(partition, t))
	if err != nil {
		return 0, fmt.Errorf("looking up %s/%d at %s: %w", topic, partition, t.UTC().Format(time.RFC3339), err)
	}
	for offset := range found.Offsets {
		if offset >= 0 {
			return offset, nil
		}
	}
	return end, nil
}

// CommittedOffsets returns, by topic and partition, the committed next of the
// group; partitions without one are absent.
func (c *Client) CommittedOffsets(ctx context.Context, group string, topics ...string) (map[string]map[int]int64, error) {
	infos, err := c.sizes(ctx, topics)
	if err == nil {
		err = missingFault(infos, topics)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the commits of group %q: %w", group, err)
	}
	request := &kafka.OffsetFetchRequest{GroupID: group, Topics: make(map[string][]int, len(topics))}
	for name, info := range infos {
		for partition := range info.Partitions {
			request.Topics[name] = append(request.Topics[name], partition)
		}
	}
	answer, err := c.kafka.OffsetFetch(ctx, request)
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		return nil, fmt.Errorf("reading the commits of group %q: %w", group, err)
	}
	committed := make(map[string]map[int]int64, len(topics))
	for topic, partitions := range answer.Topics {
		committed[topic] = make(map[int]int64, len(partitions))
		for _, p := range partitions {
			if p.Error != nil {
				return nil, fmt.Errorf("reading the commit of group %q for %s/%d: %w", group, topic, p.Partition, p.Error)
			}
			if p.CommittedOffset >= 0 {
				committed[topic][p.Partition] = p.CommittedOffset
			}
		}
	}
	return committed, nil
}

// extent returns the first position of a partition and the one after the last that all
// in-sync replicas have.
func (c *Client) extent(ctx context.Context, topic string, partition int) (first, end int64, err error) {
	found, err := c.listOffsets(ctx, topic, kafka.ReadUncommitted, kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition))
	if err != nil {
		return 0, 0, fmt.Errorf("looking up the extent of %s/%d: %w", topic, partition, err)
	}
	return found.FirstOffset, found.LastOffset, nil
}

// listOffsets tries until Config.Timeout has passed: cached metadata can name a
// leader that has moved.
func (c *Client) listOffsets(ctx context.Context, topic string, level kafka.IsolationLevel, requests ...kafka.OffsetRequest) (kafka.PartitionOffsets, error) {
	if err := c.known(topic); err != nil {
		return kafka.PartitionOffsets{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	for try := 0; ; try++ {
		found, err := c.listOffsetsOnce(ctx, topic, level, requests)
		if err == nil || forbidden(err) {
			return found, err
		}
		if !pause(ctx, backoff(try)) {
			return kafka.PartitionOffsets{}, errors.Join(err, context.Cause(ctx))
		}
	}
}

func (c *Client) listOffsetsOnce(ctx context.Context, topic string, level kafka.IsolationLevel, requests []kafka.OffsetRequest) (kafka.PartitionOffsets, error) {
	answer, err := c.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics:         map[string][]kafka.OffsetRequest{topic: requests},
		IsolationLevel: level,
	})
	if err != nil {
		return kafka.PartitionOffsets{}, err
	}
	for _, found := range answer.Topics[topic] {
		return found, found.Error
	}
	return kafka.PartitionOffsets{}, kafka.UnknownTopicOrPartition
}

const (
	backoffFirst = 50 * time.Millisecond
	backoffMost  = 2 * time.Second
)

// backoff returns the pause after the given try, counted from 0: it doubles, and
// is drawn between half of it and all of it, so that many do not come back at
// once.
func backoff(try int) time.Duration {
	most := min(backoffFirst<<min(try, 10), backoffMost)
	return most/2 + rand.N(most/2)
}

// pause waits for d and returns true, or false as soon as ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
