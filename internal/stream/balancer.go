package stream

import (
	"cmp"
	"maps"
	"slices"

	"github.com/segmentio/kafka-go"
)

// protocolName is what members of a group agree on. Changing how shards are
// assigned, or what a claim looks like, in a way that older members would not
// follow needs a new name.
const protocolName = "shard-sticky"

// balancer is kafka-go's side of the shard-sticky assignment. The member that
// leads the group runs AssignGroups for all.
type balancer struct {
	// claim says what this member owns, right before each join.
	claim func() claim
	// assigned is told, when this member led, how many shards it handed out
	// among how many members.
	assigned func(total, members int)
}

func (b balancer) ProtocolName() string { return protocolName }

func (b balancer) UserData() ([]byte, error) { return b.claim().encode() }

func (b balancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	shards := commonShards(members, partitions)
	claims := make(map[string]claim, len(members))
	topics := make(map[string][]string, len(members))
	for _, member := range members {
		topics[member.ID] = member.Topics
		if len(member.Topics) > 0 {
			claims[member.ID] = decodeClaim(member.UserData)
		}
	}
	b.assigned(len(shards), len(members))
	assignments := make(kafka.GroupMemberAssignments, len(members))
	plan := assignShards(claims, shards)
	for id := range topics {
		assignments[id] = make(map[string][]int, len(topics[id]))
		for _, topic := range topics[id] {
			assignments[id][topic] = plan[id]
		}
	}
	return assignments
}

// commonShards returns, ascending, the partition numbers that every topic has
// that any member reads. While topics are being enlarged one by one, the new
// numbers wait until the last topic has them.
func commonShards(members []kafka.GroupMember, partitions []kafka.Partition) []int {
	has := make(map[string]map[int]bool)
	for _, member := range members {
		for _, topic := range member.Topics {
			has[topic] = make(map[int]bool)
		}
	}
	topicsWith := make(map[int]int)
	for _, p := range partitions {
		if numbers, read := has[p.Topic]; read && !numbers[p.ID] {
			numbers[p.ID] = true
			topicsWith[p.ID]++
		}
	}
	var shards []int
	for shard, topics := range topicsWith {
		if topics == len(has) {
			shards = append(shards, shard)
		}
	}
	slices.Sort(shards)
	return shards
}

// assignShards gives every shard to one member. Members get equally many, or
// one more than the others, and each keeps as many of its own as that allows:
// no shard moves that need not. Those that are leaving get none, unless all are.
// Where two claim a shard, the one with the later generation has it, since the
// other has missed a rebalance. The plan depends on what is claimed only, not on
// the order of anything.
func assignShards(claims map[string]claim, shards []int) map[string][]int {
	plan := make(map[string][]int, len(claims))
	if len(claims) == 0 {
		return plan
	}
	members := slices.Sorted(maps.Keys(claims))
	for shard, member := range holders(claims, members, shards) {
		plan[member] = append(plan[member], shard)
	}
	// The larger shares go to those that hold most, so that fewest shards move.
	byHolding := slices.SortedFunc(slices.Values(staying(claims, members)), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(plan[b]), len(plan[a])), cmp.Compare(a, b))
	})
	quota := make(map[string]int, len(members))
	for i, member := range byHolding {
		quota[member] = len(shards) / len(byHolding)
		if i < len(shards)%len(byHolding) {
			quota[member]++
		}
	}
	kept := make(map[int]bool, len(shards))
	for _, member := range members {
		slices.Sort(plan[member])
		plan[member] = plan[member][:min(len(plan[member]), quota[member])]
		for _, shard := range plan[member] {
			kept[shard] = true
		}
	}
	next := 0
	for _, shard := range shards {
		if kept[shard] {
			continue
		}
		for len(plan[members[next]]) == quota[members[next]] {
			next++
		}
		plan[members[next]] = append(plan[members[next]], shard)
	}
	for _, member := range members {
		slices.Sort(plan[member])
	}
	return plan
}

// staying returns the members that are not leaving, or all if there are none.
func staying(claims map[string]claim, members []string) []string {
	leaving := func(member string) bool { return claims[member].Leaving }
	if stay := slices.DeleteFunc(slices.Clone(members), leaving); len(stay) > 0 {
		return stay
	}
	return members
}

// holders returns who holds each shard that is claimed.
func holders(claims map[string]claim, members []string, shards []int) map[int]string {
	held := make(map[int]string, len(shards))
	for _, member := range members {
		for _, shard := range claims[member].Shards {
			if _, exists := slices.BinarySearch(shards, shard); !exists {
				continue
			}
			rival, contested := held[shard]
			if !contested || claims[member].Generation > claims[rival].Generation {
				held[shard] = member
			}
		}
	}
	return held
}
