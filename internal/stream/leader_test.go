package stream_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"reauth/internal/stream/streamtest"
)

func TestReaderFollowsTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		r.write(t, 0, 5)
		reader := r.reader(t, 0)
		expect(t, reader, 0, 5)
		for i := range 5 {
			moveLeader(t, r.kafka, "requests")
			r.write(t, 5+i, 1)
			expect(t, reader, 5+i, 1)
		}
	})
}

func TestReaderLeavesALeaderThatDoesNotKnowItWasDeposed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		r.write(t, 0, 1)
		reader := r.reader(t, 0)
		expect(t, reader, 0, 1)
		old := r.kafka.LeaderFor("requests", 0)
		r.links.slow(50 * time.Millisecond) // its answers come at once, for ever
		lies := 0
		r.kafka.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
			r.kafka.KeepControl()
			if r.kafka.CurrentNode() != old {
				return nil, nil, false
			}
			lies++
			partition := kmsg.NewFetchResponseTopicPartition()
			partition.HighWatermark, partition.RecordBatches = 1, []byte{}
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.Partitions = "requests", append(topic.Partitions, partition)
			answer := request.ResponseKind().(*kmsg.FetchResponse)
			answer.Topics = append(answer.Topics, topic)
			return answer, nil, true
		})
		moved := make(chan struct{})
		go func() {
			defer close(moved)
			time.Sleep(time.Second) // it is asking there now
			moveLeader(t, r.kafka, "requests")
			r.write(t, 1, 1)
		}()
		expect(t, reader, 1, 1)
		<-moved
		if lies == 0 || lies > 100 {
			t.Errorf("it was asked %d times: the test shows nothing, or it was asked without a pause", lies)
		}
	})
}

func TestReaderPastTheEndForAMomentGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		r.write(t, 0, 10)
		reader := r.reader(t, 0)
		expect(t, reader, 0, 10)
		// As after an election, when the new leader is not up to date yet.
		if err := errors.Join(r.kafka.DeleteTopic("requests"), r.kafka.CreateTopic("requests", 1, nil)); err != nil {
			t.Fatal(err)
		}
		r.links.cut()
		written := make(chan struct{})
		go func() {
			defer close(written)
			time.Sleep(2 * time.Second)
			r.write(t, 0, 12)
		}()
		began := time.Now()
		expect(t, reader, 10, 2)
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("it took %s", took)
		}
		<-written
	})
}

func moveLeader(t *testing.T, kafka *streamtest.Cluster, topic string) {
	t.Helper()
	if err := kafka.MoveTopicPartition(topic, 0, (kafka.LeaderFor(topic, 0)+1)%3); err != nil {
		t.Fatal(err)
	}
}
