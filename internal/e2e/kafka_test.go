package e2e

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// observer is the suite's own way to Kafka, with another client library than the
// consumer's. It reads the topics from their start for as long as the test runs.
type observer struct {
	t      *testing.T
	client *kgo.Client
	ended  chan struct{}

	mu      sync.Mutex               // guards what follows
	records map[string][]*kgo.Record // without control records
	read    offsets                  // the next of each partition
	more    chan struct{}            // closed when there are more records
}

// observe begins to read the topics.
func observe(t *testing.T, brokers []string, topics []string, options ...kgo.Opt) *observer {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(brokers...),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.KeepControlRecords(),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerBatchMaxBytes(4 << 20),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RecordDeliveryTimeout(2 * time.Minute),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	o := &observer{t: t, client: client, ended: make(chan struct{}), records: map[string][]*kgo.Record{}, read: offsets{}, more: make(chan struct{})}
	go o.follow()
	t.Cleanup(func() {
		client.Close()
		<-o.ended
	})
	return o
}

func (o *observer) follow() {
	defer close(o.ended)
	for {
		fetches := o.client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		o.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			o.read.set(r.Topic, int(r.Partition), r.Offset+1)
			if !r.Attrs.IsControl() {
				o.records[r.Topic] = append(o.records[r.Topic], r)
			}
		})
		close(o.more)
		o.more = make(chan struct{})
		o.mu.Unlock()
	}
}

// of returns what has been read of a topic.
func (o *observer) of(topic string) []*kgo.Record {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.records[topic])
}

// catchUp waits until all that is in the topics now has been read.
func (o *observer) catchUp(ctx context.Context, topics ...string) error {
	ends, err := o.ends(ctx, topics...)
	if err != nil {
		return err
	}
	for {
		o.mu.Lock()
		behind, more := o.read.behind(ends), o.more
		o.mu.Unlock()
		if !behind {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// offsets are positions by topic and partition.
type offsets map[string]map[int]int64

func (o offsets) set(topic string, partition int, offset int64) {
	if o[topic] == nil {
		o[topic] = map[int]int64{}
	}
	o[topic][partition] = offset
}

// committed returns what the group has committed.
func (o *observer) committed(ctx context.Context, group string) (offsets, error) {
	r := kmsg.NewPtrOffsetFetchRequest()
	r.Group = group
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	r.Groups = append(r.Groups, g)
	answer, err := r.RequestWith(ctx, o.client)
	if err != nil {
		return nil, err
	}
	found := offsets{}
	for _, g := range answer.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return nil, err
		}
		for _, topic := range g.Topics {
			for _, p := range topic.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, err
				}
				found.set(topic.Topic, int(p.Partition), p.Offset)
			}
		}
	}
	return found, nil
}

// ends returns the position after the last record of each partition.
func (o *observer) ends(ctx context.Context, topics ...string) (offsets, error) {
	m := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		m.Topics = append(m.Topics, t)
	}
	metadata, err := m.RequestWith(ctx, o.client)
	if err != nil {
		return nil, err
	}
	r := kmsg.NewPtrListOffsetsRequest()
	for _, topic := range metadata.Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return nil, err
		}
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = *topic.Topic
		for _, partition := range topic.Partitions {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = partition.Partition, -1
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
	found := offsets{}
	answer, err := r.RequestWith(ctx, o.client)
	if err != nil {
		return nil, err
	}
	for _, topic := range answer.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, err
			}
			found.set(topic.Topic, int(p.Partition), p.Offset)
		}
	}
	return found, nil
}

// leaders returns the leader of each partition of a topic, and the coordinator
// of a group, as broker numbers.
func (o *observer) leaders(ctx context.Context, topic, group string) (leaders map[int]int, coordinator int, err error) {
	m := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	m.Topics = append(m.Topics, t)
	metadata, err := m.RequestWith(ctx, o.client)
	if err != nil {
		return nil, 0, err
	}
	leaders = map[int]int{}
	for _, p := range metadata.Topics[0].Partitions {
		leaders[int(p.Partition)] = int(p.Leader)
	}
	f := kmsg.NewPtrFindCoordinatorRequest()
	f.CoordinatorKeys = []string{group}
	f.CoordinatorKey = group
	found, err := f.RequestWith(ctx, o.client)
	if err != nil {
		return nil, 0, err
	}
	if len(found.Coordinators) > 0 {
		return leaders, int(found.Coordinators[0].NodeID), kerr.ErrorForCode(found.Coordinators[0].ErrorCode)
	}
	return leaders, int(found.NodeID), kerr.ErrorForCode(found.ErrorCode)
}

// publish writes records and returns once all in-sync replicas have them.
func (o *observer) publish(ctx context.Context, records ...*kgo.Record) error {
	return o.client.ProduceSync(ctx, records...).FirstErr()
}

// deleteTopics deletes the topics of a scenario that is over.
func (o *observer) deleteTopics(topics ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r := kmsg.NewPtrDeleteTopicsRequest()
	r.TopicNames = topics
	for _, topic := range topics {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = &topic
		r.Topics = append(r.Topics, t)
	}
	if _, err := r.RequestWith(ctx, o.client); err != nil {
		o.t.Logf("deleting topics: %v", err)
	}
}

func header(r *kgo.Record, key string) string {
	for _, h := range slices.Backward(r.Headers) {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// sample is what the group had committed, and what was in the topics right after
// that.
type sample struct {
	at        time.Time
	committed offsets
	ends      offsets
}

func (o *observer) sample(ctx context.Context, group string, topics ...string) (s sample, err error) {
	s.at = time.Now()
	if s.committed, err = o.committed(ctx, group); err != nil {
		return s, err
	}
	s.ends, err = o.ends(ctx, topics...)
	return s, err
}

// behind tells whether some position is before the one in ends.
func (o offsets) behind(ends offsets) bool {
	for topic, partitions := range ends {
		for partition, end := range partitions {
			if o[topic][partition] < end {
				return true
			}
		}
	}
	return false
}
