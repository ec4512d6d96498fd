package stream

import (
	"context"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"
)

// lingering is how long a generation must have lasted for us before we leave it.
// Leaving starts a rebalance, which refuses a member that has not asked for its
// share of the plan yet: it could not work until all others have noticed. They
// ask within a network round trip of each other.
const lingering = time.Second

// farewell is how a member leaves.
type farewell struct {
	asked context.Context // ends when it is to leave, once it has handed its shards over
	bound context.Context // ends GroupConfig.Handover later: it leaves in any case
}

// farewell asks to leave when ctx ends. forget frees what it holds.
func (m *Member) farewell(ctx context.Context) (bye farewell, forget context.CancelFunc) {
	bound, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		pause(bound, m.config.Handover)
		cancel()
	})
	return farewell{asked: ctx, bound: bound}, func() {
		stop()
		cancel()
	}
}

// patience ends when the member is to leave without waiting for anything more:
// when it is asked to, unless it has shards to hand over.
func (m *Member) patience(bye farewell) context.Context {
	if len(m.owned()) > 0 {
		return bye.bound
	}
	return bye.asked
}

// handsOver tells whether rejoining may have others take our shards. It will not
// if we said that we leave before this generation, and have shards all the same:
// then everybody is leaving, or the leader is of a version that does not know
// the word.
func (g *generation) handsOver() bool {
	return len(g.m.owned()) > 0 && !g.join.leaving && !g.join.alone()
}

// lingers returns how long we stay yet before we leave.
func (g *generation) lingers() time.Duration {
	if g.join.alone() {
		return 0
	}
	return time.Until(g.began.Add(lingering))
}

// HandedOver is closed when a member that is to leave has handed its shards over,
// or will not any more, and before Run returns in any case. The handler has been
// suspended for good. Run goes on to leave the group, which takes about a second,
// or up to four times Timeout when the coordinator is away.
func (m *Member) HandedOver() <-chan struct{} { return m.handedOver }

// part ends the work as a member.
func (m *Member) part() {
	m.suspend(time.Now(), ErrLeaving)
	m.release()
}

// leave ends the membership within about three times Timeout.
func (m *Member) leave(group *kafka.ConsumerGroup) {
	m.log.Info("leaving the group", slog.Any("shards", m.owned()))
	m.part()
	m.awaitFree()
	m.client.metrics.shards.Set(0)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = group.Close() // always nil
	}()
	if m.rejoin.is(phaseLive) {
		select {
		case <-closed:
			return
		case <-time.After(2 * m.config.Timeout):
		}
	}
	// kafka-go waits for the answer to a join, which can take as long as the
	// rebalance, and then forgets to leave: others would wait for our session
	// to run out. A member that never was in a generation has no id to leave
	// with, and does cost the group that wait.
	m.lines.cut()
	<-closed
	m.mu.Lock()
	id := m.memberID
	m.mu.Unlock()
	if id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), m.config.Timeout)
	defer cancel()
	_, err := m.client.kafka.LeaveGroup(ctx, &kafka.LeaveGroupRequest{
		GroupID: m.config.Group,
		Members: []kafka.LeaveGroupRequestMember{{ID: id}},
	})
	if err != nil {
		m.log.Warn("could not leave the group; it waits for our session to run out", slog.Any("error", err))
	}
}
