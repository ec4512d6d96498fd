package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"reauth/internal/event"
)

// leadersTTL is how long leaders are believed in without a fault. kafka-go's
// transport, which knows them too and has the last word, looks as rarely as
// metadataTTL.
const leadersTTL = time.Second

// leaders knows which broker leads which partition, as kafka-go's transport does.
type leaders struct {
	client *Client
	stale  atomic.Bool // look again at the next occasion

	mu     sync.Mutex // held while asking; guards what follows
	topics map[string]topicLeaders
}

type topicLeaders struct {
	brokers []int // by partition; -1: none
	until   time.Time
}

// of returns the leaders of a topic's partitions.
func (l *leaders) of(ctx context.Context, topic string) ([]int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stale.Swap(false) {
		clear(l.topics)
	}
	if known := l.topics[topic]; time.Now().Before(known.until) {
		return known.brokers, nil
	}
	answer, err := l.client.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("asking for leaders: %w", err)
	}
	var brokers []int
	for _, t := range answer.Topics {
		if t.Error != nil {
			return nil, fmt.Errorf("asking for leaders: %w", t.Error)
		}
		brokers = make([]int, len(t.Partitions))
		for i := range brokers {
			brokers[i] = -1
		}
		for _, p := range t.Partitions {
			if p.ID < len(brokers) && p.Error == nil {
				brokers[p.ID] = p.Leader.ID
			}
		}
	}
	if l.topics == nil {
		l.topics = make(map[string]topicLeaders)
	}
	l.topics[topic] = topicLeaders{brokers, time.Now().Add(leadersTTL)}
	return brokers, nil
}

// forget looks again at the next occasion.
func (l *leaders) forget() { l.stale.Store(true) }

// group puts outboxes together whose batches fit one request. What has no leader
// goes by itself; the transport says what is wrong with it.
func (l *leaders) group(ctx context.Context, boxes []*outbox) [][]*outbox {
	var groups [][]*outbox
	type open struct{ index, size int }
	filling := make(map[int]open)
	for _, o := range boxes {
		leader := -1
		if brokers, err := l.of(ctx, o.to.topic); err == nil && o.to.partition < len(brokers) {
			leader = brokers[o.to.partition]
		}
		g, ok := filling[leader]
		size := o.batch.size()
		if leader < 0 || !ok || g.size+size > maxRequestBytes {
			g = open{index: len(groups)}
			groups = append(groups, nil)
		}
		groups[g.index] = append(groups[g.index], o)
		filling[leader] = open{g.index, g.size + size}
	}
	return groups
}

// choose chooses the partition for a record by its key. It tries until ctx ends.
func (l *leaders) choose(ctx context.Context, record event.Record) (int, error) {
	for try := 0; ; try++ {
		brokers, err := l.of(ctx, record.Topic)
		if err == nil && len(brokers) == 0 {
			err = kafka.UnknownTopicOrPartition
		}
		switch {
		case err == nil:
			partitions := make([]int, len(brokers))
			for i := range partitions {
				partitions[i] = i
			}
			return kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: record.Key}, partitions...), nil
		case refused(err):
			return 0, err
		case !pause(ctx, backoff(try)):
			return 0, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		l.forget()
	}
}
