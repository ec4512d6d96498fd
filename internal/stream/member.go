package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// Handler is told what a member owns, and tells what may be committed. Its
// methods are called from different goroutines: Suspend may come while Next,
// Committed or Sustain runs, else there is one call at a time. The group waits for each, so
// they must not wait for work in flight.
type Handler interface {
	// Assign starts a generation. When it returns, lost shards are fenced
	// (no new call, nothing of them from Next) and gained ones are set up.
	Assign(Assignment)
	// Suspend says that the generation is over, or may soon be: go on with
	// the shards owned, but start no new call after until, unless a new Assign
	// comes. It can come again with an earlier until, never with a later one.
	// It returns how long others must not own the shards yet, at most a second or
	// so: for as long the member neither rejoins nor leaves.
	Suspend(until time.Time, cause error) (keep time.Duration)
	// Sustain says that the coordinator has just seen us alive, and keeps the shards
	// for us until then if it hears nothing more: start no new call after until. It
	// comes with each commit, so again long before, and does not undo a Suspend.
	Sustain(until time.Time)
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

	handedOver chan struct{}
	release    func() // closes handedOver, once

	mu        sync.Mutex // the fence: guards the fields below, and Next up to the commit's answer
	own       ownership
	join      join
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

		handedOver: make(chan struct{}),
	}
	m.release = sync.OnceFunc(func() { close(m.handedOver) })
	m.layout = newLayout(c.groupDialer(m.lines), c.config.Brokers, config.Topics, config.Timeout)
	m.rejoin = &rejoin{
		fence:    func(cause error) { m.suspend(time.Now(), cause) },
		debug:    bridge(m.log, slog.LevelDebug, "group"),
		warnings: bridge(m.log, slog.LevelWarn, "group"),
	}
	return m, nil
}

// Run is a member of the group until ctx ends. Then it hands its shards over,
// within GroupConfig.Handover: until the others may have them the handler goes on
// as in any rebalance. It commits a last time, suspends the handler for good
// (ErrLeaving), leaves the group and returns nil. It returns an error that wraps
// ErrHopeless when trying again cannot help, and one that wraps ErrUnfitTopics or
// ErrUnknownTopic when the topics are no use. It may be called once.
func (m *Member) Run(ctx context.Context) error {
	defer m.layout.close()
	defer m.release()
	if err := m.awaitTopics(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	bye, forget := m.farewell(ctx)
	defer forget()
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                m.config.Group,
		Brokers:           m.client.config.Brokers,
		Dialer:            m.client.groupDialer(m.lines),
		Topics:            m.config.Topics,
		GroupBalancers:    []kafka.GroupBalancer{balancer{claim: func() claim { return m.claim(bye) }, assigned: m.led}},
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
	fault := m.follow(bye, group)
	m.leave(group)
	if fault != nil {
		return fmt.Errorf("being a member of group %q: %w", m.config.Group, fault)
	}
	return nil
}

// follow takes part in one generation after the other, until it is time to leave.
func (m *Member) follow(bye farewell, group *kafka.ConsumerGroup) error {
	for {
		enough := m.patience(bye)
		gen, err := group.Next(enough)
		if err != nil {
			if enough.Err() != nil {
				return nil
			}
			// kafka-go has logged it, and pauses by itself.
			m.client.metrics.joinFailures.WithLabelValues(errorCode(err)).Inc()
			if hopelessJoin(err) {
				return fmt.Errorf("%w: %w", ErrHopeless, err)
			}
			if bye.asked.Err() != nil && !errors.Is(err, kafka.RebalanceInProgress) {
				return nil // kafka-go has left the group by itself (see rejoin)
			}
			continue
		}
		g := newGeneration(m, gen)
		gen.Start(func(ended context.Context) { g.run(ended, bye) })
		select {
		case <-g.over:
		case <-g.settled:
		}
		select {
		case <-g.settled: // it may have been over right after that
			return g.fault
		default:
		}
	}
}

// hopelessJoin tells whether joining again must fail the same way.
// InconsistentGroupProtocol means that another kind of consumer is in the group.
func hopelessJoin(err error) bool {
	return forbidden(err) || anyCode(err,
		kafka.InconsistentGroupProtocol, kafka.InvalidGroupId, kafka.InvalidSessionTimeout)
}

// join is what a member has said and learnt in its last join.
type join struct {
	leaving bool // it said that it is leaving
	led     bool // it leads the group, and has handed out
	total   int  // so many shards
	members int  // among so many members
}

// alone tells whether there was no other member. One that has joined since
// waits for us, and has our shards as soon as we leave.
func (j join) alone() bool { return j.led && j.members == 1 }

// claim is asked for right before a join request goes out.
func (m *Member) claim(bye farewell) claim {
	m.rejoin.enter(phaseJoining)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.join = join{leaving: bye.asked.Err() != nil}
	return claim{Generation: m.own.kafkaID, Shards: m.own.shards, Leaving: m.join.leaving}
}

func (m *Member) led(total, members int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.join.led, m.join.total, m.join.members = true, total, members
}

// owned returns the shards owned, ascending.
func (m *Member) owned() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.own.shards
}

func (m *Member) lastJoin() join {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.join
}

// suspension is what the handler was last told about its right to make calls.
type suspension struct {
	mu       sync.Mutex // guards what follows; held while the handler is told
	assigned bool       // there was an Assign
	until    time.Time  // of the last Suspend since the last Assign; zero: none
	leaving  bool       // it said that we leave
	free     time.Time  // when others may own the shards, as far as the handler is concerned
}

// suspend tells the handler, unless it has nothing yet or was told an earlier
// time already. That we leave it is told in any case, once.
func (m *Member) suspend(until time.Time, cause error) {
	s := &m.suspension
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.assigned {
		return
	}
	leaving := errors.Is(cause, ErrLeaving)
	if told := !s.until.IsZero() && !until.Before(s.until); told {
		if !leaving || s.leaving {
			return
		}
		until = s.until
	}
	s.until, s.leaving = until, leaving
	keep := m.handler.Suspend(until, cause)
	s.free = later(s.free, time.Now().Add(keep))
}

// awaitFree returns when others may own the shards, now that the handler is suspended.
func (m *Member) awaitFree() {
	m.suspension.mu.Lock()
	free := m.suspension.free
	m.suspension.mu.Unlock()
	time.Sleep(time.Until(free))
}

// assign tells the handler; called under m.mu.
func (m *Member) assign(a Assignment) {
	s := &m.suspension
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assigned, s.until, s.leaving = true, time.Time{}, false
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
