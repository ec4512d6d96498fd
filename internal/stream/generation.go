package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// generation is this member's part in one of kafka-go's.
type generation struct {
	m   *Member
	gen *kafka.Generation

	made   time.Time // we heard of it
	joined time.Time // the coordinator had us in this generation; zero: not known
	join   join      // that led to it
	total  int       // shards that were assigned
	began  time.Time // when the handler had its share

	mu      sync.Mutex // guards contact
	contact time.Time  // when the last successful commit was sent; zero: none

	// over is closed when the generation has ended, settled when it has
	// committed a last time because the member is to leave; fault is set
	// before settled is closed.
	over    chan struct{}
	settled chan struct{}
	fault   error
}

func newGeneration(m *Member, gen *kafka.Generation) *generation {
	return &generation{
		m: m, gen: gen, made: time.Now(), joined: m.rejoin.answeredAt(), join: m.lastJoin(),
		over: make(chan struct{}), settled: make(chan struct{}),
	}
}

// run is the one function that the generation is started with; kafka-go rejoins
// when it returns. ended ends when the generation is over. After settling it
// keeps the generation open, so that kafka-go goes from here to leaving and not
// to rejoining.
func (g *generation) run(ended context.Context, bye farewell) {
	defer close(g.over)
	if ended.Err() != nil {
		// It was over before it was ours: kafka-go is rejoining already, and
		// does not wait for us. We have never owned anything in it.
		return
	}
	g.m.rejoin.enter(phaseLive)
	defer g.m.rejoin.enter(phaseApart)
	leave := g.work(ended, bye)
	g.m.awaitFree()
	if leave || g.fault != nil {
		close(g.settled)
		<-ended.Done()
	}
}

// work owns the shards until the generation is over, is to be over so that the
// shards can be handed on, or is to be left, or fault is set.
func (g *generation) work(ended context.Context, bye farewell) (leave bool) {
	enough := g.m.patience(bye)
	if !g.begin(enough, ended) {
		return enough.Err() != nil
	}
	g.gen.Start(g.watchPartitions)
	defer g.suspendAtEnd(ended)()
	ticker := time.NewTicker(g.m.config.CommitEvery)
	defer ticker.Stop()
	asked := bye.asked.Done()
	var lingered <-chan time.Time
	for {
		select {
		case <-asked:
			if g.handsOver() {
				g.m.log.Info("handing the shards over before leaving", slog.Any("shards", g.m.owned()))
				g.commit(false)
				g.suspend()
				return false
			}
			if len(g.m.owned()) == 0 {
				g.m.part()
			}
			asked, lingered = nil, time.After(g.lingers())
		case <-lingered:
			g.commit(false)
			return true
		case <-bye.bound.Done():
			g.m.part()
			g.commit(false)
			return true
		case <-ended.Done():
			g.suspend() // suspendAtEnd may not have run yet
			g.commit(false)
			return false
		case <-ticker.C:
			// A commit that changes nothing still proves to us that the
			// coordinator sees us alive; see callsUntil.
			idle := time.Since(g.aliveAt()) >= g.m.config.Heartbeat
			if !g.commit(idle) {
				g.suspend()
				return false
			}
		}
	}
}

// suspendAtEnd suspends the handler the moment that the generation ends, also
// while a commit waits for its answer. The returned function undoes it, and must
// be called before the next generation: it waits for a Suspend that has begun.
func (g *generation) suspendAtEnd(ended context.Context) (stop func()) {
	returned := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-ended.Done():
			g.suspend()
		case <-returned:
		}
	})
	return func() {
		close(returned)
		watch.Wait()
	}
}

// suspend tells the handler that the generation ends now.
func (g *generation) suspend() {
	g.mu.Lock()
	contact := g.contact
	g.mu.Unlock()
	g.m.suspend(g.m.config.callsUntil(time.Now(), g.joined, contact), ErrRebalance)
}

// aliveAt returns the last time that the coordinator certainly saw us alive.
func (g *generation) aliveAt() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return later(g.contact, g.joined)
}

// begin hands the assignment to the handler. It returns false when the
// generation, or our patience, ended before that.
func (g *generation) begin(enough, ended context.Context) bool {
	m := g.m
	shards, next := assignedShards(g.gen.Assignments, m.config.Topics)
	total, known := g.countShards(enough, ended, shards)
	if !known {
		return false
	}
	g.total = total
	if g.join.led {
		g.total = g.join.total
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	own, moves := m.own.follow(g.gen.ID, shards, g.total)
	m.own = own
	m.memberID = g.gen.MemberID
	m.committed = m.keepCommitted(moves.kept, next)
	m.client.metrics.rebalances.Inc()
	m.client.metrics.generation.Set(float64(own.generation))
	m.client.metrics.shards.Set(float64(len(own.shards)))
	m.log.Info("generation starts", slog.Int("generation", own.generation), slog.Int("total", own.total),
		slog.Any("kept", moves.kept), slog.Any("gained", moves.gained), slog.Any("lost", moves.lost))
	m.assign(Assignment{
		Generation: own.generation,
		Shards:     slices.Clone(own.shards),
		Total:      own.total,
		Kept:       moves.kept,
		Gained:     moves.gained,
		Lost:       moves.lost,
		Next:       next,
		Until:      g.sustainedFrom(),
	})
	g.began = time.Now()
	return true
}

// sustainedFrom returns until when the coordinator keeps the shards for us that it has
// just given us. While it has no offset of them, nothing can be committed either, and
// no sign of life is heard but heartbeats, of which kafka-go tells nothing: then there
// is no end. Called under m.mu.
func (g *generation) sustainedFrom() time.Time {
	for _, partitions := range g.m.committed {
		if len(partitions) > 0 {
			return g.m.config.keptUntil(later(g.joined, g.made))
		}
	}
	return time.Time{}
}

// countShards returns the number of shards in all. Members must agree on it, so
// each asks afresh; the number of the generation before stands in only while
// nobody answers.
func (g *generation) countShards(enough, ended context.Context, shards []int) (total int, known bool) {
	m := g.m
	ctx, cancel := context.WithCancel(ended)
	defer cancel()
	defer context.AfterFunc(enough, cancel)()
	for {
		fewest, most, err := m.layout.counts(ctx)
		switch {
		case ctx.Err() != nil:
			return 0, false
		case err == nil:
			m.client.metrics.uneven.Set(float64(most - fewest))
			if most > fewest {
				m.log.Warn("topics have unequal partition counts; the surplus is not read",
					slog.Int("fewest", fewest), slog.Int("most", most))
			}
			return fewest, true
		}
		m.log.Warn("could not count the shards", slog.Any("error", err))
		m.mu.Lock()
		previous := m.own.total
		m.mu.Unlock()
		if previous > 0 && (len(shards) == 0 || shards[len(shards)-1] < previous) {
			return previous, true
		}
		pause(ctx, m.config.JoinBackoff)
	}
}

// watchPartitions ends the generation when the number of shards is no longer
// the one that was assigned. kafka-go's own watch compares with what it finds
// when it starts, and misses what was added while the group was joining.
func (g *generation) watchPartitions(ended context.Context) {
	ticker := time.NewTicker(g.m.config.PartitionWatch)
	defer ticker.Stop()
	for {
		select {
		case <-ended.Done():
			return
		case <-ticker.C:
		}
		fewest, most, err := g.m.layout.counts(ended)
		if err != nil {
			continue // heartbeats judge the connection, on their own
		}
		g.m.client.metrics.uneven.Set(float64(most - fewest))
		if fewest != g.total {
			g.m.log.Info("number of shards changed; rejoining", slog.Int("total", g.total), slog.Int("now", fewest))
			return
		}
	}
}

// commit commits what the handler says may be. With keepalive it sends
// something even if nothing changed. It returns false when the generation is of
// no use any more.
func (g *generation) commit(keepalive bool) bool {
	m := g.m
	m.mu.Lock()
	offsets := m.toCommit(m.handler.Next(), keepalive)
	if len(offsets) == 0 {
		m.mu.Unlock()
		return true
	}
	sent := time.Now()
	err := g.gen.CommitOffsets(offsets)
	if err == nil {
		m.noteCommitted(offsets)
	}
	m.mu.Unlock()
	m.handler.Committed(offsets, err)
	if err == nil {
		m.handler.Sustain(m.config.keptUntil(sent))
		g.mu.Lock()
		g.contact = sent
		g.mu.Unlock()
		m.client.metrics.commits.Inc()
		return true
	}
	m.client.metrics.commitFailures.WithLabelValues(errorCode(err)).Inc()
	m.log.Warn("commit refused", slog.String("reason", errorCode(err)), slog.Any("error", err))
	return g.survives(err)
}

// survives decides what a failed commit means.
func (g *generation) survives(err error) bool {
	var code kafka.Error
	switch {
	case !errors.As(err, &code):
		return false // the connection to the coordinator is gone
	case forbidden(err):
		g.fault = fmt.Errorf("%w: committing: %w", ErrHopeless, err)
		return false
	case anyCode(err, kafka.IllegalGeneration, kafka.UnknownMemberId, kafka.RebalanceInProgress, kafka.FencedInstanceID):
		// The coordinator has a later generation: somebody may own our shards
		// already.
		g.m.suspend(time.Now(), fmt.Errorf("%w: %w", ErrFenced, err))
		return false
	case anyCode(err, kafka.NotCoordinatorForGroup, kafka.GroupCoordinatorNotAvailable, kafka.GroupLoadInProgress):
		return false // it moved: rejoin there
	default:
		return true // the next one may do better
	}
}
