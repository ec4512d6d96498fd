package stream_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"

	"reauth/internal/stream/streamtest"
)

// older leads a group as members did before they could say that they leave.
type older struct {
	mu      sync.Mutex // guards the two below
	claimed olderClaim
	shards  []int
}

// olderClaim is what they told each other.
type olderClaim struct {
	Version    int   `json:"v"`
	Generation int32 `json:"generation"`
	Shards     []int `json:"shards,omitempty"`
}

func (o *older) ProtocolName() string { return "shard-sticky" }

func (o *older) UserData() ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return json.Marshal(o.claimed)
}

// AssignGroups gives to each what it claims, up to its even share, and what is
// left to those that have least.
func (o *older) AssignGroups(members []kafka.GroupMember, _ []kafka.Partition) kafka.GroupMemberAssignments {
	o.mu.Lock()
	defer o.mu.Unlock()
	plan, given := map[string][]int{}, map[int]bool{}
	for _, m := range members {
		var c olderClaim
		_ = json.Unmarshal(m.UserData, &c)
		plan[m.ID] = c.Shards[:min(len(c.Shards), 6/len(members))]
		for _, shard := range plan[m.ID] {
			given[shard] = true
		}
	}
	for shard := range 6 {
		if given[shard] {
			continue
		}
		least := slices.MinFunc(members, func(a, b kafka.GroupMember) int { return len(plan[a.ID]) - len(plan[b.ID]) })
		plan[least.ID] = append(slices.Clone(plan[least.ID]), shard)
	}
	assignments := kafka.GroupMemberAssignments{}
	for id, shards := range plan {
		assignments[id] = map[string][]int{"requests": shards, "priority": shards}
	}
	return assignments
}

func (o *older) owned() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.shards)
}

func joinOlder(t *testing.T, cluster *streamtest.Cluster) *older {
	t.Helper()
	o := &older{claimed: olderClaim{Version: 1}}
	config := cluster.Config()
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: group, Brokers: config.Brokers, Dialer: &kafka.Dialer{DialFunc: config.Dial},
		Topics: topics, GroupBalancers: []kafka.GroupBalancer{o},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			gen, err := g.Next(ctx)
			if err != nil {
				return
			}
			o.mu.Lock()
			o.claimed.Generation, o.claimed.Shards = gen.ID, nil
			for _, p := range gen.Assignments["requests"] {
				o.claimed.Shards = append(o.claimed.Shards, p.ID)
			}
			o.shards = o.claimed.Shards
			o.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		_ = g.Close()
	})
	return o
}

func TestLeaverWhoseLeaderDoesNotKnowTheWordLeavesAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		leader := joinOlder(t, kafka)
		eventually(t, nil, func() bool { return leader.owned() == 6 })
		a := join(t, kafka)
		eventually(t, []*owner{a}, func() bool { return len(a.mayCall()) == 3 && leader.owned() == 3 })
		time.Sleep(10 * time.Second)
		owned := a.shards()
		a.finish(owned[0], 4)

		began := time.Now()
		a.stop()
		eventually(t, []*owner{a}, func() bool { return a.hasLeft(t) })
		// Up to a heartbeat for the others to rejoin, and a second more.
		if took := time.Since(began); took > 4500*time.Millisecond {
			t.Errorf("leaving took %s", took)
		}
		if got := a.last(); !slices.Equal(got.Kept, owned) || len(got.Lost) > 0 {
			t.Errorf("of %v it kept %v and lost %v: the leader knows the word, and the test shows nothing", owned, got.Kept, got.Lost)
		}
		eventually(t, []*owner{a}, func() bool { return leader.owned() == 6 })
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("the others had the shards after %s", took)
		}
		committed, err := a.client.CommittedOffsets(t.Context(), group, topics...)
		if err != nil || committed["requests"][owned[0]] != 4 {
			t.Errorf("committed %v (%v)", committed, err)
		}
	})
}
