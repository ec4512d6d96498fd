package stream_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"reauth/internal/event"
	"reauth/internal/stream"
	"reauth/internal/stream/streamtest"
)

func startGroup(t *testing.T, options ...kfake.Opt) *streamtest.Cluster {
	t.Helper()
	return streamtest.StartVirtual(t, append([]kfake.Opt{streamtest.Topics(6, topics...)}, options...)...)
}

func TestMembersShareTheShardsAndKeepTheirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		eventually(t, []*owner{a}, settled(6, a))
		want := stream.Assignment{
			Generation: 1, Shards: []int{0, 1, 2, 3, 4, 5}, Total: 6, Gained: []int{0, 1, 2, 3, 4, 5},
			Next: map[int]map[string]int64{},
		}
		for shard := range 6 {
			want.Next[shard] = map[string]int64{"requests": stream.FirstOffset, "priority": stream.FirstOffset}
		}
		if diff := cmp.Diff(want, a.last()); diff != "" {
			t.Errorf("alone (-want +got):\n%s", diff)
		}

		b := join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		checkMoves(t, "a with b", a.last(), stream.Assignment{Shards: []int{0, 1, 2}, Kept: []int{0, 1, 2}, Lost: []int{3, 4, 5}})
		checkMoves(t, "b with a", b.last(), stream.Assignment{Shards: []int{3, 4, 5}, Gained: []int{3, 4, 5}})

		c := join(t, kafka)
		eventually(t, []*owner{a, b, c}, settled(6, a, b, c))
		checkMoves(t, "a with b and c", a.last(), stream.Assignment{Shards: []int{0, 1}, Kept: []int{0, 1}, Lost: []int{2}})
		checkMoves(t, "b with a and c", b.last(), stream.Assignment{Shards: []int{3, 4}, Kept: []int{3, 4}, Lost: []int{5}})
		checkMoves(t, "c with a and b", c.last(), stream.Assignment{Shards: []int{2, 5}, Gained: []int{2, 5}})

		if err := b.leave(); err != nil {
			t.Errorf("b left with %v", err)
		}
		eventually(t, []*owner{a, c}, settled(6, a, c))
		checkMoves(t, "a without b", a.last(), stream.Assignment{Shards: []int{0, 1, 3}, Kept: []int{0, 1}, Gained: []int{3}})
		checkMoves(t, "c without b", c.last(), stream.Assignment{Shards: []int{2, 4, 5}, Kept: []int{2, 5}, Gained: []int{4}})
	})
}

func checkMoves(t *testing.T, who string, got, want stream.Assignment) {
	t.Helper()
	same := cmpopts.IgnoreFields(stream.Assignment{}, "Generation", "Total", "Next")
	if diff := cmp.Diff(want, got, same, cmpopts.EquateEmpty()); diff != "" {
		// Which of two equal members comes first is up to their ids, so only
		// sizes are certain; say all of it when they differ.
		if len(want.Kept) != len(got.Kept) || len(want.Gained) != len(got.Gained) || len(want.Lost) != len(got.Lost) {
			t.Errorf("%s (-want +got):\n%s", who, diff)
		}
	}
	if got.Total != 6 {
		t.Errorf("%s: %d shards in all", who, got.Total)
	}
}

func TestLostConnectionLosesNoShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a, b := join(t, kafka), join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		before := map[*owner][]int{a: a.shards(), b: b.shards()}
		generation := b.generations()

		b.links.cut()
		eventually(t, []*owner{a, b}, func() bool { return b.generations() > generation })
		eventually(t, []*owner{a, b}, settled(6, a, b))
		for o, shards := range before {
			if got := o.last(); !slices.Equal(got.Kept, shards) || len(got.Lost) > 0 || len(got.Gained) > 0 {
				t.Errorf("had %v, then kept %v, gained %v, lost %v", shards, got.Kept, got.Gained, got.Lost)
			}
		}
	})
}

func TestCoordinatorThatMovesCostsNoShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a, b := join(t, kafka), join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		before := map[*owner][]int{a: a.shards(), b: b.shards()}
		generationA, generationB := a.generations(), b.generations()

		coordinator := kafka.CoordinatorFor(group)
		for kafka.CoordinatorFor(group) == coordinator {
			kafka.RehashCoordinators()
		}
		eventually(t, []*owner{a, b}, func() bool { return a.generations() > generationA && b.generations() > generationB })
		eventually(t, []*owner{a, b}, settled(6, a, b))
		for o, shards := range before {
			if got := o.last(); !slices.Equal(got.Shards, shards) {
				t.Errorf("had %v, then %v", shards, got.Shards)
			}
		}
	})
}

func TestAddedPartitionsAreSharedOnceEveryTopicHasThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a, b := join(t, kafka), join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))

		addPartitions(t, kafka, "requests", 8)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := a.last().Total; got != 6 {
			t.Errorf("with one topic enlarged there are %d shards", got)
		}
		addPartitions(t, kafka, "priority", 8)
		eventually(t, []*owner{a, b}, settled(8, a, b))
		if a.last().Total != 8 || b.last().Total != 8 {
			t.Errorf("the members see %d and %d shards", a.last().Total, b.last().Total)
		}
		if got := a.last(); len(got.Lost) > 0 || len(got.Kept) != 3 {
			t.Errorf("a kept %v and lost %v", got.Kept, got.Lost)
		}
	})
}

func TestHopelessMembershipEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		fault kfake.Fault
		want  error
	}{
		"not allowed to join":     {kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.GroupAuthorizationFailed, TopLevel: true, Count: -1}, stream.ErrHopeless},
		"another kind of members": {kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.InconsistentGroupProtocol, TopLevel: true, Count: -1}, stream.ErrHopeless},
		"not allowed to commit":   {kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.TopicAuthorizationFailed, Count: -1}, stream.ErrHopeless},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kafka := startGroup(t)
				kafka.Fault(tt.fault)
				a := join(t, kafka)
				a.finish(0, 3)
				if err := <-a.done; !errors.Is(err, tt.want) {
					t.Errorf("got %v", err)
				}
				a.done <- nil // for leave
			})
		})
	}
}

func TestUnfitTopicsEndTheMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := streamtest.StartVirtual(t, streamtest.Topics(6, "requests"), streamtest.Topics(5, "priority"))
		a := join(t, kafka)
		if err := <-a.done; !errors.Is(err, stream.ErrUnfitTopics) || !strings.Contains(err.Error(), "priority has 5 partitions") {
			t.Errorf("got %v", err)
		}
		b := join(t, kafka, func(c *stream.GroupConfig) { c.Topics = []string{"nowhere"} })
		if err := <-b.done; !errors.Is(err, stream.ErrUnknownTopic) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMemberWaitsForAClusterThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, TopLevel: true, Count: 3})
		a := join(t, kafka)
		a.links.freeze()
		time.Sleep(time.Minute)
		a.links.heal()
		eventually(t, []*owner{a}, settled(6, a))
	})
}

func addPartitions(t *testing.T, kafka *streamtest.Cluster, topic string, total int32) {
	t.Helper()
	request := kmsg.NewPtrCreatePartitionsRequest()
	request.TimeoutMillis = 1000
	add := kmsg.NewCreatePartitionsRequestTopic()
	add.Topic, add.Count = topic, total
	request.Topics = append(request.Topics, add)
	answer, err := ask(t, kafka, request)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(answer.(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
}

func TestReaderOfAKeptShardDoesNotNoticeARebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		eventually(t, []*owner{a}, settled(6, a))
		writer := newWriter(t, kafka.Client(t), stream.WriterConfig{})
		ctx, stop := contextWithStop(t)
		written := make(chan int)
		go func() {
			n := 0
			for ; ctx.Err() == nil; n++ {
				record := event.Record{Topic: "requests", Partition: 0, Value: []byte("v"), Time: time.Now()}
				if err := writer.Write(t.Context(), record); err != nil {
					t.Error(err)
				}
				time.Sleep(100 * time.Millisecond)
			}
			written <- n
		}()
		reader, err := a.client.NewReader("requests", 0, a.last().Next[0]["requests"])
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		read := make(chan int)
		go func() {
			n := 0
			for ; ; n++ {
				record, err := reader.Fetch(ctx)
				if err != nil {
					break
				}
				if record.Offset != int64(n) {
					t.Errorf("offset %d is the %dth", record.Offset, n)
				}
				if late := time.Since(record.Time); late > 50*time.Millisecond {
					t.Errorf("offset %d came %s late", n, late)
				}
			}
			read <- n
		}()

		b := join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		if !slices.Contains(a.last().Kept, 0) {
			t.Fatalf("a kept %v: the test shows nothing", a.last().Kept)
		}
		time.Sleep(10*time.Second + 50*time.Millisecond)
		stop()
		if got, want := <-read, <-written; got != want {
			t.Errorf("%d of %d records were read", got, want)
		}
	})
}
