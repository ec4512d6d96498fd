package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// layout asks how many partitions the topics have, over one connection that it
// keeps: the transport's metadata can be as old as metadataTTL, which would have
// members disagree about the number of shards right after it changed. One
// goroutine at a time may use it.
type layout struct {
	dialer  *kafka.Dialer
	brokers []string
	topics  []string
	timeout time.Duration
	conn    *kafka.Conn // nil: none open
}

func newLayout(dialer *kafka.Dialer, brokers, topics []string, timeout time.Duration) *layout {
	return &layout{dialer: dialer, brokers: brokers, topics: topics, timeout: timeout}
}

func (l *layout) close() {
	if l.conn != nil {
		_ = l.conn.Close()
		l.conn = nil
	}
}

// counts returns the partitions of the smallest and the largest topic. It ends
// at once when ctx does.
func (l *layout) counts(ctx context.Context) (fewest, most int, err error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("counting partitions: %w", err)
	}
	if err := conn.SetDeadline(time.Now().Add(l.timeout)); err != nil {
		l.close()
		return 0, 0, fmt.Errorf("counting partitions: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	partitions, err := conn.ReadPartitions(l.topics...)
	if !stop() || err != nil {
		l.close()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("counting partitions: %w", err)
	}
	sizes := make(map[string]int, len(l.topics))
	for _, p := range partitions {
		sizes[p.Topic]++
	}
	fewest = sizes[l.topics[0]]
	for _, topic := range l.topics {
		fewest = min(fewest, sizes[topic])
		most = max(most, sizes[topic])
	}
	return fewest, most, nil
}

func (l *layout) connect(ctx context.Context) (*kafka.Conn, error) {
	if l.conn != nil {
		return l.conn, nil
	}
	var faults []error
	for _, broker := range l.brokers {
		conn, err := l.dialer.DialContext(ctx, "tcp", broker)
		if err == nil {
			l.conn = conn
			return conn, nil
		}
		faults = append(faults, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(faults...)
}
