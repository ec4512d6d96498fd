package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/ledger"
	"reauth/internal/stream"
)

// loseOffsets is what becomes of the offsets of a group that had no member for a week
// (Kafka's offsets.retention.minutes), or that has another name now.
func (w *world) loseOffsets() {
	next := map[int]map[string]int64{}
	for id := range 3 {
		next[id] = map[string]int64{"requests": stream.FirstOffset, "priority": stream.FirstOffset}
	}
	w.Assign(stream.Assignment{Shards: []int{0, 1, 2}, Total: 3, Gained: []int{0, 1, 2}, Next: next})
}

// TestLostOffsetsAreInTheLedger: the topic of requests keeps more than the ledger
// remembers, and all of it is read again.
func TestLostOffsetsAreInTheLedger(t *testing.T) {
	for _, down := range []time.Duration{0, 5 * 24 * time.Hour} {
		t.Run(fmt.Sprint(down), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topics, v := newFakeTopics(), &fakeVendor{}
				w := join(t, topics, v, nil)
				w.assign([]int{0, 1, 2}, nil, nil)
				settle(10 * time.Second)
				topics.give(orderOf(ledger.Pause, "camp-1", 0)) // the ledger is never silent
				for i := range 60 {
					w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
					settle(time.Hour)
				}
				settle(130 * time.Hour) // with nothing to do
				w.kill()
				time.Sleep(down)
				for i := 60; i < 66; i++ {
					w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				w = join(t, topics, v, nil)
				w.loseOffsets()
				settle(time.Hour)
				wantOncePerRequest(t, w, 66)
				wantCalls(t, w, 1)
				for shard := range 3 {
					if n := w.next(shard); n != 22 {
						t.Errorf("next of shard %d is %d", shard, n)
					}
				}
				w.shut()
			})
		})
	}
}

// TestPositionsOfAFormerTopicAreNotTaken: a topic that was deleted and made anew begins
// at its first record, whatever the ledger says of the former.
func TestPositionsOfAFormerTopicAreNotTaken(t *testing.T) {
	for _, requests := range []int{3, 30, 90} {
		t.Run(fmt.Sprint(requests), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topics, v := newFakeTopics(), &fakeVendor{}
				w := join(t, topics, v, nil)
				w.assign([]int{0, 1, 2}, nil, nil)
				settle(time.Second)
				for i := range 30 {
					w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
				}
				settle(time.Hour)
				w.kill()
				for shard := range 3 {
					delete(topics.logs, logName("requests", shard))
				}
				for i := range requests {
					w.send(i%3, fmt.Sprint("new-", i), fmt.Sprint("new-", i))
				}
				w = join(t, topics, v, nil)
				w.loseOffsets()
				settle(time.Hour)
				wantOncePerRequest(t, w, 30+requests)
				w.shut()
			})
		})
	}
}

func TestRecordWithoutATimeIsNoMark(t *testing.T) {
	s := &shard{trackers: map[string]*tracker{}}
	for topic, at := range map[string]time.Time{"none": {}, "before 0.10": time.UnixMilli(-1), "usual": time.UnixMilli(1)} {
		s.trackers[topic] = newTracker(0)
		s.trackers[topic].add(7, at)
		s.trackers[topic].finish(7, ledger.ID{})
	}
	if marks := s.marks(); len(marks) != 1 || marks["usual"].Next != 8 {
		t.Errorf("got %v", marks)
	}
}
