package e2e

import (
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// originOf returns where a dead letter's original stands.
func originOf(r *kgo.Record) (position, error) {
	topic := header(r, "__dlq.errors.topic")
	partition, err := strconv.Atoi(header(r, "__dlq.errors.partition"))
	if err != nil {
		return position{}, fmt.Errorf("partition of the original: %w", err)
	}
	offset, err := strconv.ParseInt(header(r, "__dlq.errors.offset"), 10, 64)
	if err != nil {
		return position{}, fmt.Errorf("offset of the original: %w", err)
	}
	return position{topic, partition, offset}, nil
}
