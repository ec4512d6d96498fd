package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// Handler is told what a member owns, and tells what may be committed. Its
// methods are called from different goroutines: Suspend may come while Next or
// Committed runs, else there is one call at a time. The group waits for each, so
// they must not wait for work in flight.
type Handler interface {
	// Assign starts a generation. When it returns, lost shards are fenced
	// (no new call, nothing of them from Next) and gained ones are set up.
	Assign(Assignment)
	// Suspend says that the generation is over, or may soon be: go on with
	// the shards owned, but start no new call after until, unless a new Assign
	// comes. It can come again with an earlier until, never with a later one.
	Suspend(until time.Time, cause error)
	// Next returns, by topic and partition, the next to commit, of owned
	// shards only. It is called under the lock that Assign is called under,
	// which also holds while the commit is made, so none contains a lost shard.
	Next() map[string]map[int]int64
	// Committed reports each try to commit, with what was sent.
	Committed(offsets map[string]map[int]int64, err error)
}

// Member is one membership of a consumer group. See the package comment.
type Member struct {
	client  *Client
	config  GroupConfig
	handler Handler
	log     *slog.Logger
	rejoin  *rejoin
	lines   *lines
	layout  *layout
	// ledTotal is the number of shards that we assigned as the group's leader
	// in the join under way, -1 when we did not lead it.
	ledTotal atomic.Int64

	mu        sync.Mutex // the fence: guards the fields below, and Next up to the commit's answer
	own       ownership
	committed map[string]map[int]int64 // what the coordinator has, of owned shards
	memberID  string

	suspension suspension
}

// NewMember checks the settings and returns a member that has not joined yet.
func (c *Client) NewMember(config GroupConfig, handler Handler) (*Member, error) {
	config = config.withDefaults()
	if err := errors.Join(config.validate(), c.known(config.Topics...)); err != nil {
		return nil, fmt.Errorf("becoming a member of group %q: %w", config.Group, err)
	}
	m := &Member{
		client:  c,
		config:  config,
		handler: handler,
		log:     c.log.With(slog.String("group", config.Group)),
		lines:   newLines(c.dialer.dial),
	}
	m.layout = newLayout(c.groupDialer(m.lines), c.config.Brokers, config.Topics, config.Timeout)
	m.rejoin = &rejoin{
		fence:    func(cause error) { m.suspend(time.Now(), cause) },
		debug:    bridge(m.log, slog.LevelDebug, "group"),
		warnings: bridge(m.log, slog.LevelWarn, "group"),
	}
	m.ledTotal.Store(-1)
	return m, nil
}

// Run is a member of the group until ctx ends. Then it commits a last time,
// suspends the handler for good (ErrLeaving), leaves the group and returns nil:
// who wants to finish work as a member ends ctx after that work. It returns an
// error that wraps ErrHopeless when trying again cannot help, and one that wraps
// ErrUnfitTopics or ErrUnknownTopic when the topics are no use. It may be called
// once.
func (m *Member) Run(ctx context.Context) error {
	defer m.layout.close()
	if err := m.awaitTopics(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                m.config.Group,
		Brokers:           m.client.config.Brokers,
		Dialer:            m.client.groupDialer(m.lines),
		Topics:            m.config.Topics,
		GroupBalancers:    []kafka.GroupBalancer{balancer{claim: m.claim, assigned: m.led}},
		SessionTimeout:    m.config.Session,
		HeartbeatInterval: m.config.Heartbeat,
		RebalanceTimeout:  m.config.Rebalance,
		JoinGroupBackoff:  m.config.JoinBackoff,
		Timeout:           m.config.Timeout,
		StartOffset:       FirstOffset,
		Logger:            m.rejoin,
		ErrorLogger:       m.rejoin.failures(),
	})
	if err != nil {
		return fmt.Errorf("joining group %q: %w", m.config.Group, err)
	}
	fault := m.follow(ctx, group)
	m.leave(group)
	if fault != nil {
		return fmt.Errorf("being a member of group %q: %w", m.config.Group, fault)
	}
	return nil
}

// follow takes part in one generation after the other, until ctx ends.
func (m *Member) follow(ctx context.Context, group *kafka.ConsumerGroup) error {
	for {
		gen, err := group.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			// kafka-go has logged it, and pauses by itself.
			m.client.metrics.joinFailures.WithLabelValues(errorCode(err)).Inc()
			if hopelessJoin(err) {
				return fmt.Errorf("%w: %w", ErrHopeless, err)
			}
			continue
		}
		g := newGeneration(m, gen)
		gen.Start(func(ended context.Context) { g.run(ctx, ended) })
		select {
		case <-g.over:
		case <-g.settled:
			return g.fault
		}
	}
}

// hopelessJoin tells whether joining again must fail the same way.
// InconsistentGroupProtocol means that another kind of consumer is in the group.
func hopelessJoin(err error) bool {
	return forbidden(err) || anyCode(err,
		kafka.InconsistentGroupProtocol, kafka.InvalidGroupId, kafka.InvalidSessionTimeout)
}

// claim is asked for right before a join request goes out.
func (m *Member) claim() claim {
	m.ledTotal.Store(-1)
	m.rejoin.enter(phaseJoining)
	m.mu.Lock()
	defer m.mu.Unlock()
	return claim{Generation: m.own.kafkaID, Shards: m.own.shards}
}

func (m *Member) led(total int) { m.ledTotal.Store(int64(total)) }

// suspension is what the handler was last told about its right to make calls.
type suspension struct {
	mu       sync.Mutex // guards the two below; held while the handler is told
	assigned bool       // there was an Assign
	until    time.Time  // of the last Suspend since the last Assign; zero: none
}

// suspend tells the handler, unless it has nothing yet or was told an earlier
// time already. That we leave it is told in any case.
func (m *Member) suspend(until time.Time, cause error) {
	s := &m.suspension
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.assigned {
		return
	}
	if told := !s.until.IsZero() && !until.Before(s.until); told {
		if !errors.Is(cause, ErrLeaving) {
			return
		}
		until = s.until
	}
	s.until = until
	m.handler.Suspend(until, cause)
}

// assign tells the handler; called under m.mu.
func (m *Member) assign(a Assignment) {
	s := &m.suspension
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assigned, s.until = true, time.Time{}
	m.handler.Assign(a)
}

// awaitTopics returns nil once the topics are known to be fit, or ctx ends.
func (m *Member) awaitTopics(ctx context.Context) error {
	for {
		err := m.client.checkEven(ctx, m.config.Topics)
		switch {
		case err == nil, ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrUnfitTopics), errors.Is(err, ErrUnknownTopic):
			return err
		}
		// kafka-go's transport turns a refused password into an unexpected
		// end; its other connections keep the broker's word.
		err = errors.Join(err, m.client.Ping(ctx))
		if forbidden(err) {
			return fmt.Errorf("%w: %w", ErrHopeless, err)
		}
		m.log.Warn("kafka is out of reach", slog.Any("error", err))
		pause(ctx, m.config.JoinBackoff)
	}
}

// leave ends the membership within about twice Timeout.
func (m *Member) leave(group *kafka.ConsumerGroup) {
	m.suspend(time.Now(), ErrLeaving)
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
