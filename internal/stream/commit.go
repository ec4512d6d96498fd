package stream

import (
	"log/slog"
	"slices"
)

// toCommit picks from next what is ours to commit: owned shards of our topics,
// never back of what the coordinator has, and with keepalive also what it has
// already. A handler that offers more has a fault; the fence holds all the same.
// Called under m.mu.
func (m *Member) toCommit(next map[string]map[int]int64, keepalive bool) map[string]map[int]int64 {
	offsets := make(map[string]map[int]int64)
	for topic, partitions := range next {
		for partition, offset := range partitions {
			if !m.own.owns(partition) || !slices.Contains(m.config.Topics, topic) || offset < 0 {
				m.log.Error("refusing to commit what is not ours", slog.String("topic", topic),
					slog.Int("partition", partition), slog.Int64("offset", offset))
				continue
			}
			have, ok := m.committed[topic][partition]
			if ok && (offset < have || offset == have && !keepalive) {
				continue
			}
			if offsets[topic] == nil {
				offsets[topic] = make(map[int]int64)
			}
			offsets[topic][partition] = offset
		}
	}
	return offsets
}

// noteCommitted remembers what the coordinator has. Called under m.mu.
func (m *Member) noteCommitted(offsets map[string]map[int]int64) {
	for topic, partitions := range offsets {
		for partition, offset := range partitions {
			m.committed[topic][partition] = offset
		}
	}
}

// keepCommitted returns what the coordinator has of the shards in next: the
// answer to a kept shard's last commit may have been lost, so the later of what
// it says and what we know counts. Called under m.mu.
func (m *Member) keepCommitted(kept []int, next map[int]map[string]int64) map[string]map[int]int64 {
	committed := make(map[string]map[int]int64, len(m.config.Topics))
	for _, topic := range m.config.Topics {
		committed[topic] = make(map[int]int64, len(next))
		for shard, offsets := range next {
			if offsets[topic] >= 0 {
				committed[topic][shard] = offsets[topic]
			}
			if known, ok := m.committed[topic][shard]; ok && slices.Contains(kept, shard) {
				committed[topic][shard] = max(known, offsets[topic])
			}
		}
	}
	return committed
}
