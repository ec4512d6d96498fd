package stream_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"reauth/internal/stream"
)

func TestUnreachableMemberStopsBeforeTheOthersHaveItsShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a, b := join(t, kafka), join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		time.Sleep(10 * time.Second)

		a.links.freeze()
		began := time.Now()
		// eventually also checks, every 10 ms, that no shard has two owners.
		eventually(t, []*owner{a, b}, settled(6, b))
		taken := time.Now()
		if taken.Before(began.Add(20 * time.Second)) {
			t.Fatalf("the coordinator gave a up after %s: the test shows nothing", taken.Sub(began))
		}
		first := a.allSuspensions()[0]
		if !errors.Is(first.cause, stream.ErrRebalance) {
			t.Errorf("suspended because of %v", first.cause)
		}
		// The heartbeat of at most 3 s later fails 5 s after that, or after the
		// last commit, and joining fails when it cannot connect.
		if noticed := first.at.Sub(began); noticed > 13*time.Second {
			t.Errorf("noticed after %s", noticed)
		}
		if !first.until.Before(taken) {
			t.Errorf("calls could start until %s after b had the shards", first.until.Sub(taken))
		}
	})
}

func TestBusyMemberMayGoOnLongerThanASilentOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a, b := join(t, kafka), join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		time.Sleep(time.Minute)
		a.finish(a.shards()[0], 5)
		time.Sleep(20 * time.Second) // its keepalive commits go on

		c := join(t, kafka)
		eventually(t, []*owner{a, b, c}, settled(6, a, b, c))
		room := func(o *owner) time.Duration {
			all := o.allSuspensions()
			i := len(all) - 2 // the last is the answer to the join
			return all[i].until.Sub(all[i].at)
		}
		// The last commit is at most 3 s old and holds for 30 s; without one
		// only the heartbeats count, of which the last may be 16 s old.
		if got := room(a); got < 25*time.Second {
			t.Errorf("a has committed and may call for %s", got)
		}
		if got := room(b); got < 12*time.Second || got > 14*time.Second {
			t.Errorf("b has not and may call for %s", got)
		}
	})
}

func TestNoCallBetweenTheJoinsAnswerAndTheAssignment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a, b := join(t, kafka), join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))

		// From its fence on everything reaches a late, so the others have their
		// share first.
		a.onFence = func() { a.links.slow(700 * time.Millisecond) }
		c := join(t, kafka)
		waited := false
		eventually(t, []*owner{a, b, c}, func() bool {
			waited = waited || len(c.mayCall()) > 0 && len(a.mayCall()) == 0
			return settled(6, a, b, c)()
		})
		if !waited {
			t.Error("a had its share as early as the others: the test shows nothing")
		}
	})
}

func TestFailedJoinFencesBeforeTheMembershipIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		eventually(t, []*owner{a}, settled(6, a))

		fencedAtLeave := make(chan bool, 1)
		kafka.ControlKey(int16(kmsg.LeaveGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
			kafka.DropControl()
			fencedAtLeave <- len(a.mayCall()) == 0
			return nil, nil, false
		})
		kafka.Fault(
			kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.NotCoordinator, TopLevel: true},
			kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable},
		)
		if !<-fencedAtLeave {
			t.Error("calls could start after the membership was given up")
		}
		all := a.allSuspensions()
		if last := all[len(all)-1]; !errors.Is(last.cause, kerrCode(kerr.CoordinatorNotAvailable)) {
			t.Errorf("the cause given is %v", last.cause)
		}
		eventually(t, []*owner{a}, settled(6, a))
	})
}

func TestLostShardIsNeverCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		eventually(t, []*owner{a}, settled(6, a))
		for shard := range 6 {
			a.finish(shard, 1)
		}
		time.Sleep(2 * time.Second)

		b := join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		lost := a.last().Lost
		for _, shard := range lost {
			b.finish(shard, 20)
		}
		time.Sleep(2 * time.Second)
		// Late completions: a still offers what it has lost.
		for _, shard := range lost {
			a.finish(shard, 9)
			a.finish(shard, 30)
		}
		still := a.shards()[0]
		a.finish(still, 7)
		before := len(a.allCommits())
		time.Sleep(5 * time.Second)
		if err := a.leave(); err != nil {
			t.Error(err)
		}
		// What the coordinator has in the end is no proof: b's keepalive would
		// mend it.
		for _, commit := range a.allCommits()[before:] {
			for shard := range commit.offsets["requests"] {
				if slices.Contains(lost, shard) {
					t.Errorf("shard %d was committed at %d after it was lost", shard, commit.offsets["requests"][shard])
				}
			}
		}

		committed, err := b.client.CommittedOffsets(t.Context(), group, topics...)
		if err != nil {
			t.Fatal(err)
		}
		for _, shard := range lost {
			if got := committed["requests"][shard]; got != 20 {
				t.Errorf("shard %d: committed is %d, its owner says 20", shard, got)
			}
		}
		if got := committed["requests"][still]; got != 7 {
			t.Errorf("what a still owned was committed at %d", got)
		}
	})
}

func TestShardThatOthersMayHaveHadIsSetUpAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a, b := join(t, kafka), join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		before := a.shards()

		a.links.freeze()
		eventually(t, []*owner{a, b}, settled(6, b))
		a.links.heal()
		eventually(t, []*owner{a, b}, settled(6, a, b))
		got := a.last()
		if !slices.Equal(got.Lost, before) || len(got.Kept) > 0 || !slices.Equal(got.Gained, got.Shards) {
			t.Errorf("had %v, then kept %v, gained %v, lost %v", before, got.Kept, got.Gained, got.Lost)
		}
	})
}
