package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CheckShards returns the number of shards that the sharded topics have in
// common, of topics as DescribeTopics returns them. They must have equally many
// partitions, since a shard is the same partition of each. They and the others
// must be deleted by age, not compacted: of the records of one key a compacted topic
// keeps the last alone, where a claim, an answer or another request may stand before it.
// All faults are reported at once, wrapping ErrUnfitTopics, each with what to do.
func CheckShards(infos map[string]TopicInfo, sharded []string, others ...string) (shards int, err error) {
	if len(sharded) == 0 {
		return 0, fmt.Errorf("checking topics: %w: none is sharded", ErrUnfitTopics)
	}
	if err := unfit(unevenFaults(infos, sharded), policyFaults(infos, append(slices.Clone(sharded), others...))); err != nil {
		return 0, err
	}
	return infos[sharded[0]].Partitions, nil
}

// CheckKept returns nil if every topic keeps its records for at least the time given,
// whatever their size. All faults are reported at once, wrapping ErrUnfitTopics, each
// with what to do.
func CheckKept(infos map[string]TopicInfo, kept map[string]time.Duration) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		config, want := infos[name].Config, kept[name].Milliseconds()
		if ms, err := strconv.ParseInt(config["retention.ms"], 10, 64); err == nil && ms >= 0 && ms < want {
			faults = append(faults, fmt.Errorf("%s has retention.ms=%d: set it to %d or more (what it loses is forgotten)", name, ms, want))
		}
		if size, err := strconv.ParseInt(config["retention.bytes"], 10, 64); err == nil && size >= 0 {
			faults = append(faults, fmt.Errorf("%s has retention.bytes=%d: set it to -1 (under load it would be kept for less than %s)", name, size, kept[name]))
		}
	}
	return unfit(faults...)
}

// CheckTimed returns nil if the records of every topic keep the times that their
// writers gave them: OffsetAt finds a record by the broker's clock otherwise. All
// faults are reported at once, wrapping ErrUnfitTopics, each with what to do.
func CheckTimed(infos map[string]TopicInfo, names ...string) error {
	var faults []error
	for _, name := range names {
		if kind := infos[name].Config["message.timestamp.type"]; kind == "LogAppendTime" {
			faults = append(faults, fmt.Errorf("%s has message.timestamp.type=%s: set it to CreateTime (what is looked for by its time would be missed, and written twice)", name, kind))
		}
	}
	return unfit(faults...)
}

// unfit is the error of the faults that there are, nil if there are none.
func unfit(faults ...error) error {
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("checking topics: %w: %w", ErrUnfitTopics, err)
	}
	return nil
}

// checkEven is the part of CheckShards that a membership rests on. It needs no
// right to read the topics' settings.
func (c *Client) checkEven(ctx context.Context, sharded []string) error {
	infos, err := c.sizes(ctx, sharded)
	if err == nil {
		err = missingFault(infos, sharded)
	}
	if err != nil {
		return fmt.Errorf("checking topics: %w", err)
	}
	return unfit(unevenFaults(infos, sharded))
}

func unevenFaults(infos map[string]TopicInfo, sharded []string) error {
	most := 0
	for _, name := range sharded {
		most = max(most, infos[name].Partitions)
	}
	var faults []error
	for _, name := range sharded {
		if have := infos[name].Partitions; have != most {
			faults = append(faults, fmt.Errorf("%s has %d partitions where another topic has %d: add %d to it (partitions cannot be taken away)",
				name, have, most, most-have))
		}
	}
	return errors.Join(faults...)
}

func policyFaults(infos map[string]TopicInfo, names []string) error {
	var faults []error
	for _, name := range names {
		if policy := infos[name].Config["cleanup.policy"]; policy != "delete" {
			faults = append(faults, fmt.Errorf("%s has cleanup.policy=%s: set it to delete (a compacted topic loses all but the last record of a key)", name, policy))
		}
	}
	return errors.Join(faults...)
}

func missingFault(infos map[string]TopicInfo, names []string) error {
	var missing []string
	for _, name := range names {
		if _, ok := infos[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s (create it, or let this user describe it)", ErrUnknownTopic, strings.Join(missing, ", "))
}
