package stream

import (
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// FirstOffset as a next to read from, or as a committed next, means that there
// is none yet: reading starts at the first record that the partition still has.
const FirstOffset int64 = kafka.FirstOffset

// Assignment is the start of one generation of this member.
type Assignment struct {
	// Generation counts this member's generations from 1. Kafka's own number
	// is no good for that: it can repeat.
	Generation int
	// Shards are those owned now, ascending; Kept and Gained together.
	Shards []int
	// Total is the number of shards in all, the same for all members but for
	// the seconds in which partitions are being added.
	Total int
	// Kept were owned in the previous generation and by nobody else since.
	// Gained are to be set up from Next. Lost are no longer ours, or were not
	// for a while: a shard that came back after somebody else may have had it
	// is in both Lost and Gained, to be dropped and set up anew. Ascending.
	Kept, Gained, Lost []int
	// Next is, by shard and topic, the committed next to read, or FirstOffset.
	// For kept shards it may lag behind what the owner knows.
	Next map[int]map[string]int64
	// Until is as for Handler.Sustain; zero while there is nothing that could be
	// committed.
	Until time.Time
}

// ownership is what a member owns and since when.
type ownership struct {
	generation int   // ours
	kafkaID    int32 // Kafka's number of it
	shards     []int // ascending
	total      int
}

// moves is how an ownership follows from the one before.
type moves struct{ kept, gained, lost []int }

// follow returns the ownership after assigned was handed out in Kafka's
// generation kafkaID. A shard is kept only if no other generation can have been
// between: the number went up by one, or not at all, as when only the connection
// was lost and the group never noticed.
func (o ownership) follow(kafkaID int32, assigned []int, total int) (ownership, moves) {
	next := ownership{generation: o.generation + 1, kafkaID: kafkaID, shards: slices.Sorted(slices.Values(assigned)), total: total}
	unbroken := o.generation > 0 && (kafkaID == o.kafkaID || kafkaID == o.kafkaID+1)
	var m moves
	for _, shard := range next.shards {
		if unbroken && o.owns(shard) {
			m.kept = append(m.kept, shard)
		} else {
			m.gained = append(m.gained, shard)
		}
	}
	for _, shard := range o.shards {
		if !slices.Contains(m.kept, shard) {
			m.lost = append(m.lost, shard)
		}
	}
	return next, m
}

func (o ownership) owns(shard int) bool {
	_, found := slices.BinarySearch(o.shards, shard)
	return found
}

// assignedShards returns the shards of a generation, ascending, and the
// committed next of each by topic. The balancer gives out the same partitions of
// every topic; should another leader have done otherwise, only those that are
// assigned for all topics count.
func assignedShards(assignments map[string][]kafka.PartitionAssignment, topics []string) ([]int, map[int]map[string]int64) {
	next := make(map[int]map[string]int64)
	for _, topic := range topics {
		for _, assigned := range assignments[topic] {
			if next[assigned.ID] == nil {
				next[assigned.ID] = make(map[string]int64, len(topics))
			}
			next[assigned.ID][topic] = assigned.Offset
		}
	}
	var shards []int
	for shard, offsets := range next {
		if len(offsets) == len(topics) {
			shards = append(shards, shard)
		} else {
			delete(next, shard)
		}
	}
	slices.Sort(shards)
	return shards, next
}
