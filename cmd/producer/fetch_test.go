package main

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// withhold leaves fetches from a partition without an answer until the test ends.
func (b *bench) withhold(topic string, partition int32) {
	ended := make(chan struct{})
	b.t.Cleanup(func() { close(ended) })
	b.cluster.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		for _, asked := range request.(*kmsg.FetchRequest).Topics {
			if asked.Topic == topic && slices.ContainsFunc(asked.Partitions, func(p kmsg.FetchRequestTopicPartition) bool { return p.Partition == partition }) {
				b.cluster.SleepControl(func() { <-ended })
			}
		}
		return nil, nil, false
	})
}

// fetchNotice tells of the next fetch, which it leaves to the cluster.
func fetchNotice(fetched chan<- struct{}) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(kmsg.Request) (kmsg.Response, error, bool) {
		select {
		case fetched <- struct{}{}:
		default:
		}
		return nil, nil, false
	}
}
