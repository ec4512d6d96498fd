package stream

import "github.com/segmentio/kafka-go"

// PartitionOf returns the partition, out of so many, that ByKey chooses for a
// key that is not empty.
func PartitionOf(key []byte, partitions int) int {
	all := make([]int, partitions)
	for i := range all {
		all[i] = i
	}
	return kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: key}, all...)
}
