package stream

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"
)

func TestShardsAreSpreadEvenlyAndStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, 40).Draw(t, "shards")
		members := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,4}`), 1, 7, rapid.ID[string]).Draw(t, "members")
		claims := make(map[string]claim, len(members))
		for _, member := range members {
			claims[member] = claim{
				Generation: rapid.Int32Range(0, 3).Draw(t, "generation"),
				Shards:     rapid.SliceOfDistinct(rapid.IntRange(-1, 45), rapid.ID[int]).Draw(t, "claimed"),
				Leaving:    rapid.Bool().Draw(t, "leaving"),
			}
		}
		stay := slices.DeleteFunc(slices.Clone(members), func(member string) bool { return claims[member].Leaving })
		if len(stay) == 0 {
			stay = members
		}
		var shards []int
		for shard := range total {
			shards = append(shards, shard)
		}
		plan := assignShards(claims, shards)

		var given []int
		for member, own := range plan {
			if _, ok := claims[member]; !ok {
				t.Fatalf("%q got shards and is no member", member)
			}
			n := len(own)
			switch {
			case !slices.Contains(stay, member):
				if n > 0 {
					t.Fatalf("%q is leaving and has %d shards", member, n)
				}
			case n < total/len(stay) || n > (total+len(stay)-1)/len(stay):
				t.Fatalf("%q has %d of %d shards among %d", member, n, total, len(stay))
			}
			given = append(given, own...)
		}
		slices.Sort(given)
		if !slices.Equal(given, shards) {
			t.Fatalf("given out: %v, there are %v", given, shards)
		}
		for member, claimed := range claims {
			uncontested := 0
			stayed := 0
			for _, shard := range claimed.Shards {
				if shard < 0 || shard >= total || slices.ContainsFunc(members, func(rival string) bool {
					return rival != member && slices.Contains(claims[rival].Shards, shard)
				}) {
					continue
				}
				uncontested++
				if slices.Contains(plan[member], shard) {
					stayed++
				}
			}
			if contested := uncontested < len(claimed.Shards); !contested && stayed < min(uncontested, len(plan[member])) {
				t.Fatalf("%q kept %d of its %d shards though it has room for %d", member, stayed, uncontested, len(plan[member]))
			}
		}
	})
}

func TestOfTwoClaimsTheLaterGenerationWins(t *testing.T) {
	plan := assignShards(map[string]claim{
		"early": {Generation: 4, Shards: []int{0, 1}},
		"late":  {Generation: 5, Shards: []int{1, 2}},
	}, []int{0, 1, 2, 3})
	if diff := cmp.Diff(map[string][]int{"early": {0, 3}, "late": {1, 2}}, plan); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlyAsManyShardsMoveAsANewcomerNeeds(t *testing.T) {
	plan := assignShards(map[string]claim{
		"a": {Generation: 7, Shards: []int{0, 2, 4, 6, 8}},
		"b": {Generation: 7, Shards: []int{1, 3, 5, 7}},
		"c": {},
	}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8})
	if diff := cmp.Diff(map[string][]int{"a": {0, 2, 4}, "b": {1, 3, 5}, "c": {6, 7, 8}}, plan); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// groupOf draws a group and its topics' partitions, in any order.
func groupOf(t *rapid.T) (members []kafka.GroupMember, partitions []kafka.Partition, sizes map[string]int) {
	sizes = map[string]int{
		"requests": rapid.IntRange(0, 12).Draw(t, "requests"),
		"ledger":   rapid.IntRange(0, 12).Draw(t, "ledger"),
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "members") {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "foreign data")
		if rapid.Bool().Draw(t, "ours") {
			data, _ = claim{Generation: 3, Shards: rapid.SliceOf(rapid.IntRange(0, 14)).Draw(t, "claimed")}.encode()
		}
		members = append(members, kafka.GroupMember{ID: fmt.Sprintf("m%d", i), Topics: []string{"requests", "ledger"}, UserData: data})
	}
	for topic, size := range sizes {
		for id := range size {
			partitions = append(partitions, kafka.Partition{Topic: topic, ID: id})
		}
	}
	return members, partitions, sizes
}

func TestAssignmentIsTheSameForEveryTopicAndOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, partitions, sizes := groupOf(t)
		var total int
		b := balancer{assigned: func(n, _ int) { total = n }}
		plan := b.AssignGroups(members, partitions)

		if want := min(sizes["requests"], sizes["ledger"]); total != want {
			t.Fatalf("%d shards assigned where every topic has %d", total, want)
		}
		given := 0
		for _, member := range members {
			if diff := cmp.Diff(plan[member.ID]["requests"], plan[member.ID]["ledger"], cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s reads different partitions:\n%s", member.ID, diff)
			}
			given += len(plan[member.ID]["ledger"])
		}
		if given != total {
			t.Fatalf("%d of %d shards are assigned", given, total)
		}
		shuffledMembers := rapid.Permutation(members).Draw(t, "members in another order")
		shuffledPartitions := rapid.Permutation(partitions).Draw(t, "partitions in another order")
		if diff := cmp.Diff(plan, b.AssignGroups(shuffledMembers, shuffledPartitions)); diff != "" {
			t.Fatalf("another order, another plan:\n%s", diff)
		}
	})
}

func TestMemberWithFewerTopicsGetsOnlyThose(t *testing.T) {
	partitions := []kafka.Partition{{Topic: "requests"}, {Topic: "priority"}}
	plan := balancer{assigned: func(int, int) {}}.AssignGroups([]kafka.GroupMember{
		{ID: "old", Topics: []string{"requests"}},
		{ID: "silent"},
	}, partitions)
	want := kafka.GroupMemberAssignments{"old": {"requests": {0}}, "silent": {}}
	if diff := cmp.Diff(want, plan); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestClaimSurvivesItsEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := claim{
			Generation: rapid.Int32().Draw(t, "generation"), Shards: rapid.SliceOfN(rapid.Int(), 1, 20).Draw(t, "shards"),
			Leaving: rapid.Bool().Draw(t, "leaving"),
		}
		data, err := in.encode()
		if err != nil {
			t.Fatal(err)
		}
		out := decodeClaim(data)
		in.Version = claimVersion
		if diff := cmp.Diff(in, out); diff != "" {
			t.Fatalf("(-in +out):\n%s", diff)
		}
	})
}

func TestClaimIsWrittenAsOtherVersionsReadIt(t *testing.T) {
	for want, c := range map[string]claim{
		`{"v":1,"generation":7,"shards":[2,5]}`:                {Generation: 7, Shards: []int{2, 5}},
		`{"v":1,"generation":7,"shards":[2,5],"leaving":true}`: {Generation: 7, Shards: []int{2, 5}, Leaving: true},
	} {
		data, err := c.encode()
		if err != nil || string(data) != want {
			t.Errorf("%+v is written as %s (%v), want %s", c, data, err, want)
		}
	}
	if got := decodeClaim([]byte(`{"v":1,"generation":7,"shards":[2],"of a later version":[]}`)); !slices.Equal(got.Shards, []int{2}) {
		t.Errorf("with a field that we do not know it claims %v", got.Shards)
	}
}

func TestUnreadableClaimClaimsNothing(t *testing.T) {
	for _, data := range []string{"", "null", "[]", `{"v":2,"generation":9,"shards":[1]}`, `{"generation":9,"shards":[1]}`, "\x00\x01", `{"v":1,"shards":"all"}`} {
		if got := decodeClaim([]byte(data)); len(got.Shards) > 0 || got.Generation != 0 {
			t.Errorf("%q claims %+v", data, got)
		}
	}
}
