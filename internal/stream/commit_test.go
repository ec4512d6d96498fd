package stream_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"reauth/internal/stream"
)

// kerrCode is kafka-go's error of a code, as callers of stream see it.
func kerrCode(err *kerr.Error) error { return kafka.Error(err.Code) }

func TestProgressIsCommittedOnceAndThenKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startGroup(t)
		a := join(t, cluster)
		eventually(t, []*owner{a}, settled(6, a))
		time.Sleep(30 * time.Second)
		if n := len(a.allCommits()); n > 0 {
			t.Errorf("%d commits of nothing", n)
		}

		a.finish(2, 41)
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		commits := a.allCommits()
		if len(commits) != 1 || commits[0].err != nil {
			t.Fatalf("after a second: %+v", commits)
		}
		if diff := cmp.Diff(map[string]map[int]int64{"requests": {2: 41}}, commits[0].offsets); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := cluster.GroupInfo(group).Commits["requests"][2].Offset; got != 41 {
			t.Errorf("the coordinator has %d", got)
		}
		// Nothing changes for 30 s: one each heartbeat.
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := len(a.allCommits()) - 1; n < 9 || n > 11 {
			t.Errorf("%d commits in 30 idle seconds", n)
		}
	})
}

func TestCommitNeverGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startGroup(t)
		a := join(t, cluster)
		eventually(t, []*owner{a}, settled(6, a))
		a.finish(2, 41)
		time.Sleep(2 * time.Second)
		a.finish(2, 40)
		time.Sleep(10 * time.Second)
		if got := cluster.GroupInfo(group).Commits["requests"][2].Offset; got != 41 {
			t.Errorf("the coordinator has %d", got)
		}
	})
}

func TestLastCommitIsMadeOnStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startGroup(t)
		a := join(t, cluster, func(c *stream.GroupConfig) { c.CommitEvery = 2 * time.Second })
		eventually(t, []*owner{a}, settled(6, a))
		a.finish(5, 3)
		if err := a.leave(); err != nil {
			t.Error(err)
		}
		if got := cluster.GroupInfo(group).Commits["requests"][5].Offset; got != 3 {
			t.Errorf("the coordinator has %d", got)
		}
	})
}

func TestLastCommitIsMadeWhenAGenerationEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startGroup(t)
		// One that is so rare that only the end of a generation can be it.
		a := join(t, cluster, func(c *stream.GroupConfig) {
			c.CommitEvery, c.Session, c.Rebalance = time.Minute, 4*time.Minute, 4*time.Minute
		})
		eventually(t, []*owner{a}, settled(6, a))
		for shard := range 6 {
			a.finish(shard, 3)
		}
		b := join(t, cluster)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		for _, shard := range b.shards() {
			if got := b.last().Next[shard]["requests"]; got != 3 {
				t.Errorf("shard %d starts at %d with its new owner", shard, got)
			}
		}
	})
}

func TestWhatAFailedCommitMeans(t *testing.T) {
	for name, tt := range map[string]struct {
		err    *kerr.Error
		fenced bool // nothing may be called any more
		rejoin bool
	}{
		"of a generation that is over":   {kerr.IllegalGeneration, true, true},
		"of a member that was given up":  {kerr.UnknownMemberID, true, true},
		"while others get their share":   {kerr.RebalanceInProgress, true, true},
		"at a coordinator that moved":    {kerr.NotCoordinator, false, true},
		"at a coordinator not there yet": {kerr.CoordinatorLoadInProgress, false, true},
		"that took too long":             {kerr.RequestTimedOut, false, false},
		"of a topic that is gone":        {kerr.UnknownTopicOrPartition, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := startGroup(t)
				a := join(t, cluster)
				eventually(t, []*owner{a}, settled(6, a))
				fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: tt.err})
				a.finish(0, 8)
				if err := fault.Wait(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				time.Sleep(10 * time.Second)

				if got := a.allCommits()[0]; !errors.Is(got.err, kerrCode(tt.err)) {
					t.Errorf("reported as %v", got.err)
				}
				if rejoined := a.generations() > 1; rejoined != tt.rejoin {
					t.Errorf("rejoined: %t", rejoined)
				}
				if tt.rejoin {
					first := a.allSuspensions()[0]
					if fenced := errors.Is(first.cause, stream.ErrFenced) && !first.until.After(first.at); fenced != tt.fenced {
						t.Errorf("suspended for %s by %v", first.until.Sub(first.at), first.cause)
					}
				}
				if got := cluster.GroupInfo(group).Commits["requests"][0].Offset; got != 8 {
					t.Errorf("in the end the coordinator has %d", got)
				}
			})
		})
	}
}

func TestGroupIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := startGroup(t)
		registry := prometheus.NewRegistry()
		client := cluster.Client(t, func(c *stream.Config) { c.Registerer = registry })
		o := &owner{links: &links{}}
		member, err := client.NewMember(stream.GroupConfig{Group: group, Topics: topics}, o)
		if err != nil {
			t.Fatal(err)
		}
		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.RequestTimedOut, Count: 2})
		o.finish(1, 1)
		ended := make(chan error)
		ctx, stop := contextWithStop(t)
		go func() { ended <- member.Run(ctx) }()
		eventually(t, []*owner{o}, settled(6, o))
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		for name, want := range map[string]float64{
			"reauth_stream_rebalances_total":                                 1,
			"reauth_stream_generation":                                       1,
			"reauth_stream_shards_owned":                                     6,
			"reauth_stream_commits_total":                                    1,
			`reauth_stream_commit_failures_total{code="request_timed_out"}`:  2,
			`reauth_stream_commit_failures_total{code="illegal_generation"}`: 0,
		} {
			if got, ok := sample(t, registry, name); !ok || got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
