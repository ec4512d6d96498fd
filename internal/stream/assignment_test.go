package stream

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/segmentio/kafka-go"
)

func TestShardIsKeptOnlyWhenNoGenerationWasMissed(t *testing.T) {
	before := ownership{generation: 3, kafkaID: 7, shards: []int{0, 1, 2}, total: 6}
	for _, tt := range []struct {
		name     string
		kafkaID  int32
		assigned []int
		want     moves
	}{
		{"next generation", 8, []int{2, 1, 5}, moves{kept: []int{1, 2}, gained: []int{5}, lost: []int{0}}},
		{"same generation again", 7, []int{0, 1, 2}, moves{kept: []int{0, 1, 2}}},
		{"one missed", 9, []int{0, 1, 5}, moves{gained: []int{0, 1, 5}, lost: []int{0, 1, 2}}},
		{"counted anew", 1, []int{0}, moves{gained: []int{0}, lost: []int{0, 1, 2}}},
		{"nothing left", 8, nil, moves{lost: []int{0, 1, 2}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			own, got := before.follow(tt.kafkaID, tt.assigned, 6)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(moves{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if own.generation != 4 || own.kafkaID != tt.kafkaID {
				t.Errorf("generation %d, kafka's %d", own.generation, own.kafkaID)
			}
		})
	}
}

func TestFirstGenerationGainsEverything(t *testing.T) {
	// Kafka's first generation is 1, one above the zero of an ownership that
	// never was.
	_, got := ownership{}.follow(1, []int{4}, 6)
	if diff := cmp.Diff(moves{gained: []int{4}}, got, cmp.AllowUnexported(moves{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShardNeedsItsPartitionOfEveryTopic(t *testing.T) {
	shards, next := assignedShards(map[string][]kafka.PartitionAssignment{
		"requests": {{ID: 3, Offset: 10}, {ID: 1, Offset: 20}},
		"priority": {{ID: 1, Offset: FirstOffset}},
	}, []string{"requests", "priority"})
	if diff := cmp.Diff([]int{1}, shards); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int]map[string]int64{1: {"requests": 20, "priority": FirstOffset}}, next); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
